"""A claim with parts, by scenario or by test set: it holds if all of them hold."""

from collections.abc import Sequence
from dataclasses import dataclass

from scripts.lib.claims import Claim
from scripts.studies.findings import Words, claim_of
from scripts.studies.statistics.direction import all_positive, positive
from scripts.studies.statistics.estimates import Estimate
from scripts.studies.verdicts import Judged
from studies.three_d.config import Experiments
from studies.three_d.drawn import STUDY


@dataclass(frozen=True)
class Part:
    """What a claim says of one scenario or test set; paper: the same statistic from the paper's numbers."""

    name: str
    label: str
    statistic: Judged
    estimate: Sequence[Estimate]
    paper: float | None = None


def part(name: str, label: str, estimates: Sequence[Estimate], paper: Sequence[float | None] = ()) -> Part:
    """Of one estimate, or of several that are all to be above zero."""
    judged = positive(estimates[0]) if len(estimates) == 1 else all_positive(estimates)
    known = [each for each in paper if each is not None]
    return Part(name, label, judged, estimates, min(known, default=None))


def claims_of(
    spec: Experiments,
    name: str,
    subject: str,
    fails: str,
    unit: str,
    every: str,
    parts: Sequence[Part],
    seeds: Sequence[int] | None = None,
) -> list[Claim]:
    """The claim over all parts, if there are several, then each.

    subject, fails: what is found if it holds or fails. every: all parts, in words. seeds: those of the experiments, if
    none are given.
    """

    def claim(at: str, where: str, judged: Judged, paper: float | None, least: str = "") -> Claim:
        words = Words(f"{subject}{where}", f"{subject}{where}", f"{fails}{where}", unit, least)
        statement = f"{subject}{where} ({unit})"
        return claim_of(STUDY, at, statement, words, judged, paper, len(seeds or spec.seeds), spec.draws)

    each = [claim(f"{name}.{of.name}", f", {of.label}", of.statistic, of.paper) for of in parts]
    if len(parts) == 1:
        return each
    least = min(parts, key=lambda of: of.statistic.value).label
    known = [of.paper for of in parts if of.paper is not None]
    whole = all_positive([estimate for of in parts for estimate in of.estimate])
    return [claim(name, f" {every}", whole, min(known, default=None), f"least {least}, "), *each]
