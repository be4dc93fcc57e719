"""Random instances for checking section 6, others for every seed; a measure is one number per seed, (seeds,)."""

from collections.abc import Sequence

import numpy as np

from scripts.lib.ids import seed_of
from studies.mode_seeking.theory.flow import Array, softmax

SEEDS = range(20)
INSTANCES, BINS, BETA = 50, 6, 0.1
EXACT = 1e-9
"""The tolerance of identities, and of shares of all."""


class Draws:
    """Random instances for one part of the theory; a seed gives the same ones whatever the other seeds are."""

    def __init__(self, part: str, seeds: Sequence[int]) -> None:
        self._generators = [np.random.default_rng(seed_of("mode seeking", part, seed)) for seed in seeds]

    def normal(self, *shape: int) -> Array:
        """Standard normal numbers (seeds, instances, *shape)."""
        return np.stack([each.standard_normal((INSTANCES, *shape)) for each in self._generators])

    def uniform(self, low: float, high: float, *shape: int) -> Array:
        """Uniform numbers (seeds, instances, *shape)."""
        return np.stack([each.uniform(low, high, (INSTANCES, *shape)) for each in self._generators])

    def distribution(self) -> Array:
        """Distributions (seeds, instances, bins) of standard normal logits."""
        return softmax(self.normal(BINS))


def largest(values: Array) -> Array:
    """The largest absolute value of each seed."""
    return np.abs(values).reshape(len(values), -1).max(axis=1)


def smallest(values: Array) -> Array:
    """The smallest value of each seed."""
    return values.reshape(len(values), -1).min(axis=1)


def share(which: Array) -> Array:
    """The share of each seed's instances that is true."""
    return which.reshape(len(which), -1).mean(axis=1)
