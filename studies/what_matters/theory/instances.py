"""Random instances for checking the theory, others for every seed, and what is measured on those of a seed.

Instances are float64 tensors (seeds, instances, ...); a measure is one number per seed, (seeds,).
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from scripts.lib.ids import seed_of
from studies.what_matters.theory import tabular

SEEDS = range(20)
INSTANCES = 100
"""Instances per seed."""
RESPONSES, SUPPORTED = 8, 5
"""Responses per instance; proposals are among the first SUPPORTED."""
BETA, BETAS = 0.1, (0.1, 0.3, 1.0)
"""The paper's beta in training, and the betas of the checks."""
EXACT, OPTIMISED, SIMILAR, ORDER, CLOSE = 1e-9, 1e-6, 0.05, 0.1, 0.1
"""Tolerances: of identities and of shares of all; of an optimiser's result; of the total variation between policies
that the paper calls similar; of exponents; of the relative error of what it calls an approximation."""
HALVINGS = tuple(0.5**k for k in range(5))


class Draws:
    """Random instances for one part of the theory; a seed gives the same ones whatever the other seeds are."""

    def __init__(self, part: str, seeds: Sequence[int], instances: int = INSTANCES) -> None:
        self._generators = [torch.Generator().manual_seed(seed_of("theory", part, seed)) for seed in seeds]
        self._instances = instances

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers (seeds, instances, *shape)."""
        size = (self._instances, *shape)
        return torch.stack([torch.randn(size, generator=each, dtype=torch.float64) for each in self._generators])

    def policy(self, n: int = RESPONSES) -> Tensor:
        """Log-probabilities (seeds, instances, n) of standard normal logits."""
        return tabular.normalised(self.normal(n))

    def proposals(self) -> Tensor:
        """Symmetric proposals (seeds, instances, n, n) among the supported responses, none against itself."""
        weights = self.normal(SUPPORTED, SUPPORTED).exp()
        q = torch.zeros(*weights.shape[:2], RESPONSES, RESPONSES, dtype=torch.float64)
        q[..., :SUPPORTED, :SUPPORTED] = weights
        q = (q + q.mT) * (1 - torch.eye(RESPONSES, dtype=torch.float64))
        return q / q.sum(dim=(-2, -1), keepdim=True)

    def preferences(self) -> Tensor:
        """P(row is preferred to column), (seeds, instances, n, n): arbitrary, not only Bradley-Terry."""
        scores = self.normal(RESPONSES, RESPONSES)
        return torch.sigmoid(scores - scores.mT)


def largest(values: Tensor) -> Tensor:
    """The largest absolute value."""
    return values.abs().flatten(1).amax(dim=1)


def smallest(values: Tensor) -> Tensor:
    """The smallest value."""
    return values.flatten(1).amin(dim=1)


def middle(values: Tensor) -> Tensor:
    """The median."""
    return values.flatten(1).quantile(0.5, dim=1)


def share(which: Tensor) -> Tensor:
    """The share that is true."""
    return which.double().flatten(1).mean(dim=1)


def root_mean_square(values: Tensor) -> Tensor:
    """Over the last dimension, (seeds, instances): of one instance, not of a seed's."""
    return values.square().mean(dim=-1).sqrt()


def order(sizes: Sequence[float], error: Callable[[float], Tensor]) -> Tensor:
    """The exponent with which ``error(size)`` shrinks: the slope of the logarithm of its root mean square."""
    means = torch.stack([error(size).square().flatten(1).mean(dim=1) for size in sizes])
    return torch.from_numpy(np.polyfit(np.log(sizes), means.log().numpy() / 2, 1)[0])
