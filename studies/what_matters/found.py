"""From a judged statistic to a claim of this study."""

from dataclasses import dataclass

import numpy as np

from scripts.lib.claims import Claim
from scripts.studies.findings import Words, claim_of
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
    paper = None if np.isnan(published) else float(published)
    claim = claim_of(STUDY, name, statement, words, judged, paper, means.n_seeds, means.n_draws, margin)
    return Found(claim, judged.of_runs(means.repeats).p)


def least_known(values: np.ndarray) -> float:
    """The smallest of the numbers that the paper has; NaN if it has none."""
    return float(np.min(values, where=~np.isnan(values), initial=np.inf)) if not np.isnan(values).all() else np.nan


def greatest_known(values: np.ndarray) -> float:
    return -least_known(-values)
