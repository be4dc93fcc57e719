"""Random instances for checking the theory, and the order at which an error vanishes on them."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from scripts.lib.ids import seed_of
from studies.what_matters.theory import tabular
from studies.what_matters.theory.claims import INSTANCES

RESPONSES, SUPPORTED = 8, 5
"""Responses per instance; proposals are among the first SUPPORTED."""
EXACT, OPTIMISED, NEARLY, ORDER, ALIKE, MOSTLY = 1e-9, 1e-6, 0.05, 0.1, 0.01, 0.5
"""Tolerances: of identities and shares of all, of an optimiser's result, of what the paper calls similar (total
variation), of exponents, of cosines, and of a share that "likely" requires to be at least half."""
HALVINGS = tuple(0.5**k for k in range(5))


class Draws:
    """Random instances for one part of the theory; the same seed gives the same instances."""

    def __init__(self, part: str, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed_of("theory", part, seed))

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(INSTANCES, *shape, generator=self._generator, dtype=torch.float64)

    def policy(self, n: int = RESPONSES) -> Tensor:
        """Log-probabilities (instances, n) of standard normal logits."""
        return tabular.normalised(self.normal(n))

    def proposals(self) -> Tensor:
        """Symmetric proposals (instances, n, n) among the supported responses, no response against itself."""
        q = torch.zeros(INSTANCES, RESPONSES, RESPONSES, dtype=torch.float64)
        q[:, :SUPPORTED, :SUPPORTED] = self.normal(SUPPORTED, SUPPORTED).exp()
        q = (q + q.mT) * (1 - torch.eye(RESPONSES, dtype=torch.float64))
        return q / q.sum(dim=(-2, -1), keepdim=True)

    def preferences(self) -> Tensor:
        """P(row is preferred to column), (instances, n, n): arbitrary, not only Bradley-Terry."""
        scores = self.normal(RESPONSES, RESPONSES)
        return torch.sigmoid(scores - scores.mT)


def order(sizes: Sequence[float], error: Callable[[float], Tensor]) -> float:
    """The exponent with which ``error(size)`` shrinks: the slope of the logarithm of its root mean square."""
    means = [float(error(size).square().mean()) for size in sizes]
    return float(np.polyfit(np.log(sizes), np.log(means) / 2, 1)[0])
