"""Step: judges the paper's claims about two iterations.

Statistics were fixed on 2026-11-29, before any run of this study had been trained. Everything is in points of the
length-controlled win rate; off − on is the increase with off-policy data minus that with on-policy data, from one
initial policy (which cancels).

discrepancy (section 4.2). "The effectiveness discrepancy between PC_off and PC_on exists among different models."
    Statistic, by objective: off − on of the study's first policy, the weakest, minus that of its last, both before any
    training. Holds above zero, for every objective.
injection (section 5.4, Table 3). "A score less than 0.5 indicates the policy in the preference injection stage", where
    off-policy data is more effective. Statistic: the mean off − on over all initial policies, of both iterations and
    every objective, whose measured score is below 0.5. Holds above zero. No claim if there are none.
fine_tuning. "Otherwise, it is in preference fine-tuning stage": the mean of on − off over all others.

Which initial policies are in which stage is taken as measured. How often the score is right by itself, and how often
the two constant predictors are, is in predictions.csv: it is a count of few, dependent cases. Runs from one initial
policy share its chance, which cancels in off − on; intervals count it, so that they are too wide rather than too short.
"""

from pathlib import Path

import numpy as np

from scripts.lib import cli
from scripts.lib.claims import Claim, write_claims
from scripts.lib.ids import seed_of
from scripts.studies.findings import Words, finding
from scripts.studies.statistics.direction import all_positive, positive
from scripts.studies.statistics.estimates import Estimate
from scripts.studies.statistics.resampling import Trained, resampled_means
from scripts.studies.verdicts import Judged
from studies.alignment_stages.config import Config
from studies.alignment_stages.discrepancy import says_off
from studies.alignment_stages.layout import OFF, ON, Row, row, rows, starts, trained_from
from studies.alignment_stages.measured import Answers
from studies.alignment_stages.published_numbers import Published

STUDY = "alignment_stages"


class Differences:
    """off − on of any start, (1 + 2 replicates,): as measured, as drawn, as repeated (statistics/resampling.py)."""

    def __init__(self, spec: Config, answers: Answers) -> None:
        self.spec = spec
        trained = [each for each in rows(spec) if each.path]
        values = np.stack([answers.controlled(each) for each in trained])
        kinds = [Trained(spec.off_policy, each.variant) for each in trained]
        drawn = resampled_means([values], kinds, np.random.default_rng(seed_of(STUDY, spec.win_rate)))[..., 0]
        self.means = np.concatenate([values.mean(axis=(1, 2, 3))[None], drawn])
        self.places = {each.runs: place for place, each in enumerate(trained)}

    def of(self, start: Row) -> np.ndarray:
        off, on = (self.means[:, self.places[trained_from(self.spec, start, data).runs]] for data in (OFF, ON))
        return off - on


def discrepancy(spec: Config, differences: Differences, published: Published) -> list[Claim]:
    """The whole, then its objectives, if there are several; none of one policy."""
    weakest, strongest = spec.policies[0], spec.policies[-1]
    if weakest == strongest:
        return []
    parts, theirs = [], []
    for variant in spec.variants:
        ends = [differences.of(row(spec, base, variant, ())) for base in (weakest, strongest)]
        parts.append(Estimate.of(ends[0] - ends[1]))
        paper = [published.off_minus_on(base.model or "", variant, ()) for base in (weakest, strongest)]
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
        return claim(
            spec, name, f"{subject}{under} (points; off − on of one minus that of the other)", words, found, paper
        )

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


def stages(spec: Config, differences: Differences, answers: Answers, published: Published) -> list[Claim]:
    """injection and fine_tuning, each if any initial policy is in its stage."""
    found = []
    for name, data, other, below in (("injection", OFF, ON, True), ("fine_tuning", ON, OFF, False)):
        members = [start for start in starts(spec) if says_off(answers.score(start)[0]) == below]
        if not members:
            continue
        sign = 1.0 if below else -1.0
        statistic = Estimate.of(sign * np.mean([differences.of(start) for start in members], axis=0))
        where = f"initial policies with a boundary score {'below' if below else 'of at least'} 0.5"
        words = Words(
            f"{data.capitalize()}-policy over {other}-policy data for {where}",
            f"{len(members)} {where} gain more from {data}-policy data",
            f"{len(members)} {where} gain no more from {data}-policy data",
            "points",
        )
        statement = f"The {where} gain more from {data}-policy than from {other}-policy data (points, mean)"
        paper = published_mean(published, below)
        found.append(claim(spec, name, statement, words, positive(statistic), None if paper is None else sign * paper))
    return found


def published_mean(published: Published, below: bool) -> float | None:
    """The paper's mean off − on over its initial policies in a stage."""
    known = [
        published.off_minus_on(model, objective, (first,) if first else ())
        for (model, objective, first), score in published.scores.items()
        if says_off(score) == below
    ]
    values = [each for each in known if each is not None]
    return float(np.mean(values)) if values else None


def claim(spec: Config, name: str, statement: str, words: Words, judged: Judged, published: float | None) -> Claim:
    judged = judged.of_runs(spec.draws if spec.draws > 1 else len(spec.seeds))
    return Claim(
        study=STUDY,
        claim=name,
        statement=statement,
        finding=finding(words, judged, spec.draws),
        published=published,
        measured=judged.value,
        ci_low=judged.low,
        ci_high=judged.high,
        smallest=judged.smallest,
        n_seeds=len(spec.seeds),
        n_draws=spec.draws,
        kind="finding",
        verdict=judged.verdict,
    )


def claims(spec: Config, answers: Answers, published: Published) -> list[Claim]:
    differences = Differences(spec, answers)
    return discrepancy(spec, differences, published) + stages(spec, differences, answers, published)


def main() -> None:
    parser = cli.parser_of("studies.alignment_stages.claims", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(Config), required=True, help="JSON of the study")
    parser.add_argument("--evaluations", type=Path, required=True, help="folder of <policy>/<suite>.json")
    parser.add_argument("--published", type=Path, required=True, help="folder of the paper's tables")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    answers = Answers(arguments.spec, arguments.evaluations)
    write_claims(claims(arguments.spec, answers, Published(arguments.published)), arguments.out)


if __name__ == "__main__":
    cli.run(main)
