"""Means and shares over pairs, with 95 % intervals over prompts: pairs of one prompt are no independent evidence.

A mean over pairs is a ratio of sums over prompts; its standard error is that of the ratio (the cluster-robust one), its
interval Student's t with one degree of freedom less than there are prompts. A share's is Wilson's, with the number of
independent pairs that this standard error amounts to (Kish's effective sample size): a normal interval is empty at 0
and 1, and too short near them.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate over n pairs with its interval; the interval is unknown, NaN, with fewer than two prompts."""

    value: float
    low: float
    high: float
    n: int

    def __format__(self, spec: str) -> str:
        """``value (low to high)``, each number in the given format."""
        return f"{self.value:{spec}} ({self.low:{spec}} to {self.high:{spec}})"

    def numbers(self, unit: str) -> dict[str, float | int | str | None]:
        """The fields of a finding that an interval fills; None for what is unknown."""
        ends = {"value": self.value, "ci_low": self.low, "ci_high": self.high}
        return {**{name: None if math.isnan(each) else each for name, each in ends.items()}, "unit": unit, "n": self.n}


def mean(values: pd.Series, prompts: pd.Series) -> Interval:
    """The mean of a number per pair, (pairs,). Pairs without a number (NaN) do not count."""
    known, value, error, freedom = _ratio(values, prompts)
    if freedom < 1:
        return Interval(value, math.nan, math.nan, known)
    reach = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * error
    return Interval(value, value - reach, value + reach, known)


def share(hits: pd.Series, prompts: pd.Series) -> Interval:
    """The share of pairs that are hits: (pairs,) of 0 or 1, or shares of a pair between them; NaN does not count."""
    known, value, error, freedom = _ratio(hits, prompts)
    if freedom < 1:
        return Interval(value, math.nan, math.nan, known)
    effective = value * (1 - value) / error**2 if error > 0 else freedom + 1
    z = float(stats.t.ppf((1 + LEVEL) / 2, freedom))
    middle = (value + z * z / (2 * effective)) / (1 + z * z / effective)
    half = z / (1 + z * z / effective) * math.sqrt(value * (1 - value) / effective + (z / (2 * effective)) ** 2)
    return Interval(value, max(0.0, middle - half), min(1.0, middle + half), known)


def _ratio(values: pd.Series, prompts: pd.Series) -> tuple[int, float, float, int]:
    """Pairs with a value, their mean, its standard error over prompts, and the degrees of freedom."""
    rows = pd.DataFrame({"value": np.asarray(values, dtype=float), "prompt": np.asarray(prompts)}).dropna()
    if rows.empty:
        return 0, math.nan, math.nan, 0
    value = float(rows["value"].mean())
    residuals = (rows["value"] - value).groupby(rows["prompt"]).sum()
    count = len(residuals)
    scale = count / (count - 1) if count > 1 else math.nan
    return len(rows), value, math.sqrt(scale * float((residuals**2).sum())) / len(rows), count - 1
