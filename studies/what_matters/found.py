"""From a judged statistic to a claim of this study."""

from dataclasses import dataclass

import numpy as np

from scripts.lib.claims import Claim
from scripts.studies.findings import Words, finding
from scripts.studies.verdicts import Judged
from studies.what_matters.answers import Means
from studies.what_matters.layout import STUDY


@dataclass(frozen=True)
class Found:
    """A claim, and the p-value of its verdict; None if it has parts."""

    claim: Claim
    p: float | None


def found(
    means: Means,
    name: str,
    statement: str,
    words: Words,
    judged: Judged,
    published: float,
    margin: float | None = None,
) -> Found:
    """published: NaN if the paper has no such number. margin: of a claim of equivalence, as findings.py has it."""
    judged = judged.of_runs(means.repeats)
    claim = Claim(
        study=STUDY,
        claim=name,
        statement=statement,
        finding=finding(words, judged, means.n_draws, margin),
        published=None if np.isnan(published) else float(published),
        measured=judged.value,
        ci_low=judged.low,
        ci_high=judged.high,
        smallest=judged.smallest,
        n_seeds=means.n_seeds,
        n_draws=means.n_draws,
        kind="finding",
        verdict=judged.verdict,
    )
    return Found(claim, judged.p)


def least_known(values: np.ndarray) -> float:
    """The smallest of the numbers that the paper has; NaN if it has none."""
    return float(np.min(values, where=~np.isnan(values), initial=np.inf)) if not np.isnan(values).all() else np.nan


def greatest_known(values: np.ndarray) -> float:
    return -least_known(-values)
