"""Trains toy policies on their pairs, one step an epoch, and records their likelihoods and both gradients."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from scripts.lib.objectives import OBJECTIVES, PairLogps
from studies.three_d.toy.policy import log_likelihoods
from studies.three_d.toy.setting import PROMPTS, UNSEEN

OPTIMISERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
RECORDED = (
    "chosen",
    "chosen_min",
    "rejected",
    "rejected_max",
    "unseen",
    "unpaired",
    "log_chosen",
    "log_rejected",
    "log_gradient_chosen",
    "log_gradient_rejected",
)
"""What is recorded of an instance in an epoch, before its step.

chosen, rejected: mean likelihood over the prompts, of the chosen response and of those that may be rejected;
chosen_min, rejected_max: the extremes. unseen: likelihood of responses 9 and 10 together, mean over prompts; unpaired:
of all that no pair of the prompt holds. log_chosen, log_rejected: mean log-likelihoods in nats. log_gradient_chosen,
log_gradient_rejected: log10 of the mean of |d loss / d pi+| and |d loss / d pi-| over the epoch's pairs.
"""


def train(
    weights: Sequence[Tensor],
    objectives: Sequence[str],
    rejected: Tensor,
    may_be_rejected: Tensor,
    optimiser: str,
    learning_rate: float,
) -> tuple[Tensor, Tensor]:
    """Train every objective, with its default options, from the same weights: the reference, too.

    weights: of ``instances`` policies. rejected: the rejected response (instances, epochs + 1, 4) of each epoch; the
    last is only recorded. may_be_rejected: (instances, 4, 10).
    Returns what is recorded, (epochs + 1, len(RECORDED), objectives, instances), and likelihoods after training,
    (objectives, instances, 4, 10). A run that diverges ends in NaN.
    """
    instances, steps = rejected.shape[:2]
    many = len(objectives)
    free = [each.repeat(many, *[1] * (each.dim() - 1)).requires_grad_() for each in weights]
    reference = log_likelihoods(weights).double()
    mask = may_be_rejected.repeat(many, 1, 1)
    step = OPTIMISERS[optimiser](free, learning_rate, fused=True)
    records = torch.empty(steps, len(RECORDED), many, instances, dtype=torch.float64)
    for epoch in range(steps):
        logps = log_likelihoods(free).double()
        at = rejected[:, epoch, :, None]
        sides = of_pairs(logps.unflatten(0, (many, instances)), at)
        slopes = gradients(objectives, sides, of_pairs(reference, at))
        records[epoch] = recorded(logps.detach(), sides, slopes, mask).unflatten(1, (many, instances))
        if epoch < steps - 1:
            step.zero_grad()
            torch.autograd.backward(sides, [each / PROMPTS for each in slopes])
            step.step()
    return records, log_likelihoods(free).detach().double().exp().unflatten(0, (many, instances))


def of_pairs(logps: Tensor, rejected: Tensor) -> tuple[Tensor, Tensor]:
    """Log-likelihoods (..., 4) of the chosen and of the rejected, for log-likelihoods (..., 4, 10)."""
    return logps.diagonal(dim1=-2, dim2=-1), logps.gather(-1, rejected.expand(*logps.shape[:-1], 1)).squeeze(-1)


def gradients(
    objectives: Sequence[str], sides: tuple[Tensor, Tensor], reference: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Derivatives of each pair's loss by both log-likelihoods; both, like sides, (objectives, instances, 4)."""
    leaves = [each.detach().requires_grad_() for each in sides]
    constants = [each.flatten() for each in reference]
    ones = torch.ones_like(constants[0])
    losses = [
        OBJECTIVES[name](PairLogps(*(leaf[at].flatten() for leaf in leaves), *constants, ones, ones)).sum()
        for at, name in enumerate(objectives)
    ]
    chosen, rejected = torch.autograd.grad(sum(losses), leaves, materialize_grads=True)
    return chosen, rejected


def recorded(logps: Tensor, sides: tuple[Tensor, Tensor], slopes: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
    """The quantities of RECORDED, (len(RECORDED), instances). mask: which responses may be rejected."""
    likelihoods = logps.exp()
    chosen = likelihoods.diagonal(dim1=-2, dim2=-1)
    rejected = (likelihoods * mask).sum(dim=-1)
    count = mask.sum(dim=-1)
    magnitudes = [
        # d loss / d pi = (d loss / d log pi) / pi; the logarithm is finite where pi is too small for a float
        ((slope.abs().log() - side.detach()).logsumexp(dim=-1) - math.log(PROMPTS)).flatten() / math.log(10)
        for slope, side in zip(slopes, sides, strict=True)
    ]
    return torch.stack(
        [
            chosen.mean(dim=-1),
            chosen.amin(dim=-1),
            (rejected / count).mean(dim=-1),
            (likelihoods * mask).amax(dim=(-2, -1)),
            likelihoods[..., UNSEEN].sum(dim=-1).mean(dim=-1),
            (1 - chosen - rejected).mean(dim=-1),
            logps.diagonal(dim1=-2, dim2=-1).mean(dim=-1),
            ((logps * mask).sum(dim=-1) / count).mean(dim=-1),
            *magnitudes,
        ]
    )
