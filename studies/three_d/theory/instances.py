"""Random pairs for checking the theory, others for every seed, and derivatives of the losses that train policies.

A pair is a PairLogps (scripts/lib/objectives.py) whose fields are float64 tensors (seeds, instances); a measure is one
number per seed. As in the paper, pi+ and pi- are free coordinates unless a statement says otherwise.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import log

import torch
from torch import Tensor

from scripts.lib.ids import seed_of
from scripts.lib.objectives import PairLogps

Loss = Callable[[PairLogps], Tensor]
SEEDS = range(20)
INSTANCES, RESPONSES = 50, 10
BETA, VANISHED = 0.1, log(1e-300)
"""The paper's beta; log pi- where a statement says that pi- goes to 0."""
EXACT, NEAR = 1e-9, 1e-6
"""Tolerances: of identities; of limits that are reached only so far at VANISHED."""


class Draws:
    """Random numbers for one part of the theory; a seed gives the same ones whatever the other seeds are."""

    def __init__(self, part: str, seeds: Sequence[int]) -> None:
        self._generators = [torch.Generator().manual_seed(seed_of("three_d", part, seed)) for seed in seeds]

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers (seeds, instances, *shape)."""
        size = (INSTANCES, *shape)
        return torch.stack([torch.randn(size, generator=each, dtype=torch.float64) for each in self._generators])

    def between(self, low: float, high: float) -> Tensor:
        """Numbers (seeds, instances) spread evenly."""
        drawn = [torch.rand(INSTANCES, generator=each, dtype=torch.float64) for each in self._generators]
        return low + (high - low) * torch.stack(drawn)

    def lengths(self, most: int = 60) -> Tensor:
        """Numbers of tokens (seeds, instances), from one."""
        return self.between(1, most + 1).floor()

    def policy(self) -> Tensor:
        """Log-likelihoods (seeds, instances, n) of ten responses."""
        return torch.log_softmax(self.normal(RESPONSES), dim=-1)

    def pair(self) -> PairLogps:
        """The first two of ten responses, under a policy and a reference."""
        policy, reference = self.policy(), self.policy()
        return PairLogps(
            policy[..., 0], policy[..., 1], reference[..., 0], reference[..., 1], self.lengths(), self.lengths()
        )


def vanished(pair: PairLogps, log_likelihood: float = VANISHED) -> PairLogps:
    """The pair with pi- next to nothing, all else the same."""
    return replace(pair, rejected=torch.full_like(pair.rejected, log_likelihood))


def by_likelihood(loss: Loss, pair: PairLogps) -> tuple[Tensor, Tensor]:
    """d loss / d pi+ and d loss / d pi-, by automatic derivatives."""
    leaves = [each.exp().requires_grad_() for each in (pair.chosen, pair.rejected)]
    total = loss(replace(pair, chosen=leaves[0].log(), rejected=leaves[1].log())).sum()
    chosen, rejected = torch.autograd.grad(total, leaves, materialize_grads=True)
    return chosen, rejected


def by_log(loss: Loss, pair: PairLogps) -> tuple[Tensor, Tensor]:
    """d loss / d log pi+ and d loss / d log pi-."""
    leaves = [each.clone().requires_grad_() for each in (pair.chosen, pair.rejected)]
    total = loss(replace(pair, chosen=leaves[0], rejected=leaves[1])).sum()
    chosen, rejected = torch.autograd.grad(total, leaves, materialize_grads=True)
    return chosen, rejected


def logs(loss: Loss, pair: PairLogps) -> tuple[Tensor, Tensor]:
    """log |d loss / d pi+| and log |d loss / d pi-|, in nats: finite where pi- is too small for its derivative."""
    chosen, rejected = by_log(loss, pair)
    return chosen.abs().log() - pair.chosen, rejected.abs().log() - pair.rejected


def step_on_logits(slope: Tensor, policy: Tensor, mixing: Tensor | None = None) -> Tensor:
    """First-order change (..., n) of log-likelihoods if the pair of responses 0 and 1 moves logits down the gradient.

    slope: -d loss / d log pi+, equal to d loss / d log pi-. mixing: (..., n, n), how the gradient by logits moves
    logits: the kernel of shared parameters; free logits without.
    """
    down = torch.zeros_like(policy)
    down[..., 0], down[..., 1] = slope, -slope
    moved = down if mixing is None else (mixing @ down[..., None])[..., 0]
    return moved - (policy.exp() * moved).sum(dim=-1, keepdim=True)


def relative(found: Tensor, expected: Tensor) -> Tensor:
    """The relative error."""
    return (found - expected) / expected.abs()


def largest(*values: Tensor) -> Tensor:
    """The largest absolute value of each seed."""
    return torch.stack([each.abs().flatten(1).amax(dim=1) for each in values]).amax(dim=0)


def smallest(values: Tensor) -> Tensor:
    """The smallest value of each seed."""
    return values.flatten(1).amin(dim=1)


def middle(values: Tensor) -> Tensor:
    """The median of each seed."""
    return values.flatten(1).quantile(0.5, dim=1)


def share(which: Tensor, among: Tensor | None = None) -> Tensor:
    """The share that is true of each seed's instances, or of those among them."""
    among = torch.ones_like(which) if among is None else among
    return (which & among).double().flatten(1).sum(dim=1) / among.double().flatten(1).sum(dim=1)
