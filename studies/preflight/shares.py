"""Shares with intervals, levels by stated limits, and how such numbers are written in sentences."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from studies.preflight.finding import Level

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Limits:
    """From which value on a finding is worth a note, a warning, or is bad; never, by default.

    Levels are decided by the lower end of an interval, so that chance alone raises few alarms.
    """

    note: float = math.inf
    warn: float = math.inf
    bad: float = math.inf

    def level(self, value: float) -> Level:
        if value >= self.bad:
            return "bad"
        if value >= self.warn:
            return "warn"
        return "note" if value >= self.note else "good"


@dataclass(frozen=True)
class Share:
    """``hits`` of ``of``, with Wilson's 95 % interval; of nothing, the interval is [0, 1]."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        return self.hits / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson (1927), as scipy has it."""
        if not self.of:
            return 0.0, 1.0
        found = stats.binomtest(self.hits, self.of).proportion_ci(CONFIDENCE, method="wilson")
        return float(found.low), float(found.high)

    def numbers(self) -> dict[str, float | int | str]:
        """The fields of a finding that a share fills."""
        low, high = self.interval
        return {"value": self.value, "ci_low": low, "ci_high": high, "unit": "share", "n": self.of}

    def told(self, of_what: str) -> str:
        """For a sentence: 28 of 2,299 pairs (1.2 %)."""
        return f"{self.hits:,} of {self.of:,} {of_what} ({percent(self.value)})"


def clustered(hits: Sequence[int], of: Sequence[int]) -> tuple[float, float]:
    """The 95 % interval of sum(hits) / sum(of), where the members of a group are not independent.

    Wilson's, with the number of independent members that the spread between groups shows (Kish's effective sample
    size; at most sum(of)).
    """
    counted, sizes = np.asarray(hits, dtype=float), np.asarray(of, dtype=float)
    total, groups = sizes.sum(), len(sizes)
    if not total:
        return 0.0, 1.0
    p = counted.sum() / total
    effective = total
    if groups > 1 and 0 < p < 1:
        spread = float(((counted - p * sizes) ** 2).sum()) / total**2 * groups / (groups - 1)
        effective = min(total, p * (1 - p) / spread) if spread > 0 else total
    z = float(stats.norm.ppf((1 + CONFIDENCE) / 2))
    middle = (p + z * z / (2 * effective)) / (1 + z * z / effective)
    half = z / (1 + z * z / effective) * math.sqrt(p * (1 - p) / effective + (z / (2 * effective)) ** 2)
    return max(0.0, middle - half), min(1.0, middle + half)


def percent(share: float) -> str:
    """A share for a sentence: 12 %, 3.4 %, 0.07 %; never 0 % or 100 % of what is not."""
    value = 100 * share
    if value in (0.0, 100.0):
        return f"{value:.0f} %"
    for places, limit in ((0, 10), (1, 1), (2, 0.01)):
        if min(value, 100 - value) >= limit:
            return f"{value:.{places}f} %"
    return "less than 0.01 %" if value < 50 else "more than 99.99 %"


def auc_of(differences: Sequence[float], groups: Sequence[object]) -> tuple[float, float, float]:
    """How well a difference tells which side was chosen: (AUC, low, high) of its 95 % interval.

    differences: chosen minus rejected, one per pair. The AUC is that of telling pairs as they are labelled from the
    same pairs with their sides exchanged: the mean over all i, j of [d_i + d_j > 0], ties half; 0.5 says nothing, 1
    everything. Its variance is that of a U-statistic of order two (Hoeffding, 1948): four times the variance of the
    mean of its first projection, summed within groups (prompts), whose pairs are not independent.
    """
    values = np.asarray(differences, dtype=float)
    if not len(values):
        return 0.5, 0.0, 1.0
    ordered = np.sort(-values)
    below = np.searchsorted(ordered, values, side="left")
    level = np.searchsorted(ordered, values, side="right") - below
    projection = (below + level / 2) / len(values)
    auc = float(projection.mean())
    _, codes = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    sums = np.bincount(codes, projection - auc)
    of_groups = len(sums)
    if of_groups < 2:
        return auc, 0.0, 1.0
    variance = 4 * float((sums**2).sum()) / len(values) ** 2 * of_groups / (of_groups - 1)
    half = float(stats.norm.ppf((1 + CONFIDENCE) / 2)) * math.sqrt(variance)
    return auc, max(0.0, auc - half), min(1.0, auc + half)


def worst_first(rows: Sequence[int], how_bad: Sequence[float] | None = None, most: int = 10) -> list[int]:
    """At most ``most`` of the rows, those with the largest ``how_bad`` first, else in their order."""
    rows = np.asarray(rows)
    if how_bad is not None:
        rows = rows[np.argsort(-np.asarray(how_bad, dtype=float), kind="stable")]
    return rows[:most].tolist()
