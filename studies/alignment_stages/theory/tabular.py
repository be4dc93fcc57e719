"""Policies over a few responses to one prompt: expectations are sums, and nothing is sampled unless it says so.

A policy is its log-probabilities, a float64 array (seeds, instances, n); a preference distribution, P(row is preferred
to column), is (seeds, instances, n, n). A measure is one number per seed, (seeds,).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax

from scripts.lib.ids import seed_of

Array = NDArray[np.float64]
SEEDS = range(20)
INSTANCES, RESPONSES, BETA = 50, 6, 0.1
EXACT, SIMILAR, ORDER = 1e-9, 0.05, 0.1
"""Tolerances: of identities; of what the paper takes as an approximation (in probability); of exponents."""


class Draws:
    """Random instances for one part of the theory; a seed gives the same ones whatever the other seeds are."""

    def __init__(self, part: str, seeds: Sequence[int]) -> None:
        self._generators = [np.random.default_rng(seed_of("alignment stages", part, seed)) for seed in seeds]

    def normal(self, *shape: int) -> Array:
        """Standard normal numbers (seeds, instances, *shape)."""
        return np.stack([each.standard_normal((INSTANCES, *shape)) for each in self._generators])

    def policy(self) -> Array:
        """Policies of standard normal logits."""
        return log_softmax(self.normal(RESPONSES), axis=-1)

    def votes(self, counts: int, chances: Array) -> Array:
        """How many of ``counts`` labels prefer the row to the column, for chances (seeds, instances, pairs)."""
        return np.stack(
            [each.binomial(counts, of_seed) for each, of_seed in zip(self._generators, chances, strict=True)]
        ).astype(float)


def preferences(scores: Array) -> Array:
    """Bradley-Terry's P(row is preferred to column) for scores: rewards, or log-probabilities (equations 7 and 8)."""
    return expit(scores[..., :, None] - scores[..., None, :])


def apart(one: Array, other: Array) -> Array:
    """Total variation (seeds, instances) of two policies."""
    return 0.5 * np.abs(np.exp(one) - np.exp(other)).sum(axis=-1)


def largest(values: Array) -> Array:
    """The largest absolute value of each seed."""
    return np.abs(values).reshape(len(values), -1).max(axis=1)


def middle(values: Array) -> Array:
    """The median of each seed."""
    return np.median(values.reshape(len(values), -1), axis=1)


def kl(one: Array, other: Array) -> Array:
    """KL(one || other) (seeds, instances) of two policies."""
    return (np.exp(one) * (one - other)).sum(axis=-1)
