"""A statistic with the draws of it, and its interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
"""Coverage of every interval."""
TAIL = (1 - LEVEL) / 2
"""What an interval leaves out at each end."""


@dataclass(frozen=True)
class Estimate:
    """value: the statistic as measured. drawn, repeated: as resampling.py draws it, (replicates,)."""

    value: float
    drawn: np.ndarray
    repeated: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> "Estimate":
        """From values (1 + 2 replicates,): as measured, as drawn, as repeated."""
        drawn, repeated = np.split(values[1:], 2)
        return cls(float(values[0]), drawn, repeated)

    @property
    def errors(self) -> np.ndarray:
        """By how much repetitions of the study would miss, (replicates,)."""
        return self.repeated - self.value

    def low(self, tail: float = TAIL) -> float:
        """The end that the truth is below with probability ``tail``."""
        return float(np.quantile(self.drawn, tail))

    def high(self, tail: float = TAIL) -> float:
        """The end that the truth is above with probability ``tail``."""
        return float(np.quantile(self.drawn, 1 - tail))

    def over(self, scale: "Estimate") -> "Estimate":
        """As a share of a positive scale, draw by draw."""
        return Estimate(self.value / scale.value, self.drawn / scale.drawn, self.repeated / scale.repeated)


def share(hits: np.ndarray) -> float:
    """How probable an event is that some of the draws (replicates,) showed; never zero."""
    return float((hits.sum() + 1) / (len(hits) + 1))


def slope_weights(levels: Sequence[float]) -> np.ndarray:
    """Weights w such that ``w @ means`` is the least-squares slope of means over levels, in points per level."""
    centred = np.asarray(levels, dtype=float) - np.mean(levels)
    return centred / (centred**2).sum()
