"""Claims about stages: the discrepancy between policies, each stage's better data, and whether the score names it."""

from collections.abc import Sequence

import numpy as np

from scripts.lib.claims import Claim
from scripts.studies.findings import Words
from scripts.studies.statistics.direction import all_positive, positive
from scripts.studies.statistics.estimates import Estimate
from scripts.studies.verdicts import Judged
from studies.alignment_stages.discrepancy import PREDICTORS, SCORE, says_off
from studies.alignment_stages.judging import Judging
from studies.alignment_stages.layout import FOREIGN, OFF, ON, Row, row, switched
from studies.alignment_stages.predictions import of_paper
from studies.alignment_stages.published_numbers import Published

DATA = {OFF: "off-policy data", ON: "on-policy data", FOREIGN: "a strong policy's data"}


def discrepancy(of: Judging) -> list[Claim]:
    """The whole, then its objectives, if there are several; none of one policy."""
    spec = of.spec
    weakest, strongest = spec.policies[0], spec.policies[-1]
    if weakest == strongest:
        return []
    parts, theirs = [], []
    for variant in spec.variants:
        ends = [of.difference(row(spec, base, variant, ()), OFF, ON) for base in (weakest, strongest)]
        parts.append(Estimate.of(ends[0] - ends[1]))
        paper = [of.published.difference(base.model or "", variant, (), OFF, ON) for base in (weakest, strongest)]
        theirs.append(None if None in paper else paper[0] - paper[1])
    subject = f"{weakest.policy} gains more from off-policy over on-policy data than {strongest.policy} does"

    def judged(name: str, under: str, least: str, found: Judged, paper: float | None) -> Claim:
        words = Words(
            f"Off-policy over on-policy data for {weakest.policy} and for {strongest.policy}{under}",
            f"{subject}{under}",
            f"{weakest.policy} gains no more from off-policy over on-policy data than {strongest.policy} does{under}",
            "points",
            least,
        )
        statement = f"{subject}{under} (points; off − on of one minus that of the other)"
        return of.claim(name, statement, words, found, paper)

    each = [
        judged(f"discrepancy.{variant}", f" with {variant}", "", positive(part), paper)
        for variant, part, paper in zip(spec.variants, parts, theirs, strict=True)
    ]
    if len(each) == 1:
        return each
    least = spec.variants[int(np.argmin([part.value for part in parts]))]
    known = [paper for paper in theirs if paper is not None]
    whole = all_positive(parts)
    return [
        judged("discrepancy", " with every objective", f"least with {least}, ", whole, min(known, default=None)),
        *each,
    ]


def in_stage(
    of: Judging,
    name: str,
    starts: Sequence[Row],
    whose: str,
    injected: bool,
    data: str,
    other: str,
    paper: float | None,
) -> list[Claim]:
    """Those of the initial policies that are in a stage gain more from some data than from other; none if none is.

    whose: the starts in words. injected: the stage below 0.5, or the other. paper: the published mean difference.
    """
    members = [start for start in starts if of.is_injected(start) == injected]
    if not members:
        return []
    statistic = Estimate.of(np.mean([of.difference(start, data, other) for start in members], axis=0))
    where = f"{whose} with a boundary score {'below' if injected else 'of at least'} 0.5"
    several = len(members) > 1
    counted = f"{len(members)} {where if several else where.replace('policies', 'policy', 1)}"
    gain = "gain" if several else "gains"
    more = f"more from {DATA[data]} than from {DATA[other]}"
    words = Words(
        f"{DATA[data].capitalize()} over {DATA[other]} for {where}",
        f"{counted} {gain} {more}",
        f"{counted} {gain} no {more}",
        "points",
    )
    return [of.claim(name, f"The {where} gain {more} (points, mean)", words, positive(statistic), paper)]


def stages(of: Judging) -> list[Claim]:
    """injection and fine_tuning, each if any initial policy is in its stage."""
    found = []
    for name, injected, data, other in (("injection", True, OFF, ON), ("fine_tuning", False, ON, OFF)):
        paper = published_mean(of.published, injected)
        found += in_stage(of, name, switched(of.spec), "initial policies", injected, data, other, paper)
    return found


def published_mean(published: Published, injected: bool) -> float | None:
    """The paper's mean over its initial policies in a stage: off − on in the injection stage, on − off in the other."""
    sign = 1.0 if injected else -1.0
    values = [sign * difference for score, difference in of_paper(published) if says_off(score) == injected]
    return float(np.mean(values)) if values else None


def advantage(scores: Sequence[float], off_minus_on: np.ndarray) -> np.ndarray:
    """Hit rate of the boundary score minus that of the better constant, in points.

    scores: (starts,). off_minus_on: (starts, ...); the rates are over starts. Equal increases are no one's hit.
    """
    said = np.array([[says_off(score_of(score)) for score in scores] for score_of in PREDICTORS.values()])
    said = said.reshape(*said.shape, *[1] * (off_minus_on.ndim - 1))
    hits = np.where(said, off_minus_on > 0, off_minus_on < 0).mean(axis=1)
    names = list(PREDICTORS)
    constant = np.max([hits[at] for at, name in enumerate(names) if name != SCORE], axis=0)
    return 100.0 * (hits[names.index(SCORE)] - constant)


def prediction(of: Judging) -> list[Claim]:
    members = switched(of.spec)
    differences = np.array([of.difference(start, OFF, ON) for start in members])
    statistic = Estimate.of(advantage([of.answers.score(start)[0] for start in members], differences))
    theirs = of_paper(of.published)
    paper = float(advantage([score for score, _ in theirs], np.array([difference for _, difference in theirs])))
    words = Words(
        "The boundary score as a predictor of the better data, over always saying the same",
        f"The boundary score names the better data for more of {len(members)} initial policies than a constant does",
        f"The boundary score names the better data for no more of {len(members)} initial policies than a constant does",
        "points of hit rate",
    )
    statement = "The score predicts the better data better than always saying off-policy or always on-policy does"
    return [of.claim("prediction", f"{statement} (points of hit rate)", words, positive(statistic), paper)]
