"""Policies over a finite set of responses to one prompt: expectations are sums, and nothing is sampled.

A distribution is its log-probabilities, a float64 tensor (..., n): leading dimensions are independent instances. Pairs
are a joint distribution (..., n, n): the chosen response by row, the rejected by column. The losses are those that
train policies (scripts/lib/objectives.py). Equations are those of "What Matters in Data for DPO?".
"""

from collections.abc import Callable

import torch
from torch import Tensor

from scripts.lib.objectives import PairLogps, dpo, sft

Loss = Callable[[Tensor], Tensor]
"""Logits (..., n) -> the loss of each instance (...), in nats."""
NEWTON_STEPS, LONGEST, FLAT = 500, 2.0, 1e-14
"""The most steps, the most nats by which a step may change a logit, and the largest slope that counts as zero."""
SLACK = 1e-13
"""Nats by which rounding may raise the loss in a step that is still accepted."""


def normalised(logits: Tensor) -> Tensor:
    """The distribution with these logits."""
    return torch.log_softmax(logits, dim=-1)


def independent(chosen: Tensor, rejected: Tensor) -> Tensor:
    """Pairs (..., n, n) whose two sides are drawn independently: the assumption of Theorem 4.3."""
    return (chosen[..., :, None] + rejected[..., None, :]).exp()


def bradley_terry(rewards: Tensor) -> Tensor:
    """P(row is preferred to column), (..., n, n), for rewards (..., n)."""
    return torch.sigmoid(rewards[..., :, None] - rewards[..., None, :])


def labelled(proposals: Tensor, preferences: Tensor) -> Tensor:
    """Pairs (..., n, n) from unordered proposals and their labels: section 4.1.

    proposals: q of A.1, symmetric, sums to one. preferences: P(row is preferred to column); with its transpose, one.
    """
    return 2 * proposals * preferences


def dpo_loss(policy: Tensor, reference: Tensor, pairs: Tensor, beta: float) -> Tensor:
    """Equation 4: the expected loss (...) over all pairs."""
    by_row, by_column = (..., slice(None), None), (..., None, slice(None))
    logps = PairLogps(
        *(of.expand_as(pairs).flatten() for of in (policy[by_row], policy[by_column])),
        *(of.expand_as(pairs).flatten() for of in (reference[by_row], reference[by_column])),
        *(torch.ones(pairs.numel()) for _ in range(2)),
    )
    return (pairs * dpo(logps, beta=beta).view_as(pairs)).sum(dim=(-2, -1))


def sft_loss(policy: Tensor, chosen: Tensor) -> Tensor:
    """Equation 1: the expected loss (...) over the chosen responses, each of one token."""
    flat, ones = policy.flatten(), torch.ones(policy.numel())
    return (chosen.exp() * sft(PairLogps(flat, flat, flat, flat, ones, ones)).view_as(policy)).sum(dim=-1)


def gradient(loss: Loss, at: Tensor) -> Tensor:
    """The gradient (..., n) of each instance's loss."""
    leaf = at.detach().requires_grad_()
    return torch.autograd.grad(loss(leaf).sum(), leaf)[0]


def curvature(loss: Loss, at: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients (..., n) and Hessians (..., n, n) of each instance's loss."""
    leaf = at.detach().requires_grad_()
    (slope,) = torch.autograd.grad(loss(leaf).sum(), leaf, create_graph=True)
    rows = [torch.autograd.grad(slope[..., i].sum(), leaf, retain_graph=True)[0] for i in range(at.shape[-1])]
    return slope.detach(), torch.stack(rows, dim=-2)


def derivative(relative: Tensor, pairs: Tensor, beta: float) -> Tensor:
    """A.1's g: the derivative (..., n) of the loss by the log-ratio f = log(pi / pi_ref), without normalisation."""
    return gradient(lambda f: dpo_loss(f, torch.zeros_like(f), pairs, beta), relative)


def underestimates(relative: Tensor, proposals: Tensor, preferences: Tensor, beta: float) -> Tensor:
    """Proposition 4.2's difference (..., n): P of a response against its proposals, the true one minus the policy's.

    NaN for a response that is never proposed.
    """
    gap = preferences - bradley_terry(beta * relative)
    return (proposals * gap).sum(dim=-1) / proposals.sum(dim=-1)


def derivative_by_hand(relative: Tensor, proposals: Tensor, preferences: Tensor, beta: float) -> Tensor:
    """Equation 16: the same derivative (..., n), from Proposition 4.2's difference; 0 for responses never proposed."""
    known = underestimates(relative, proposals, preferences, beta).nan_to_num(0.0)
    return -2 * beta * proposals.sum(dim=-1) * known


def minimise(loss: Loss, start: Tensor) -> Tensor:
    """Logits (..., n) of a stationary point of each instance below ``start``, by Newton's method.

    Directions of negative curvature are followed downhill, flat ones are ignored, no step is longer than LONGEST, and a
    step that raises the loss is halved. Uses only the loss's values and derivatives. Raises ArithmeticError if it does
    not converge.
    """
    at = start.detach()
    for _ in range(NEWTON_STEPS):
        slope, hessian = curvature(loss, at)
        if slope.abs().max() < FLAT:
            return at
        values, vectors = torch.linalg.eigh(hessian)
        size = values.abs()
        inverse = torch.where(size > 1e-14 * size.amax(dim=-1, keepdim=True), 1 / size, 0.0)
        step = -(vectors @ (inverse * (vectors.mT @ slope[..., None])[..., 0])[..., None])[..., 0]
        step = step * (LONGEST / step.abs().amax(dim=-1, keepdim=True)).clamp(max=1.0)
        before = loss(at)
        while (rises := loss(at + step) > before + SLACK).any():
            step = torch.where(rises[..., None], step / 2, step)
        at = at + step
    raise ArithmeticError(f"no stationary point within {NEWTON_STEPS} steps")


def found(loss: Callable[..., Tensor], start: Tensor, *given: object) -> Tensor:
    """The policies (..., n) that minimise ``loss(policy, *given)``, found by optimisation from ``start``."""
    return normalised(minimise(lambda logits: loss(normalised(logits), *given), start))


def tilted(chosen: Tensor, rejected: Tensor, reference: Tensor, beta: float) -> Tensor:
    """Theorem 4.3, equation 7: the distribution proportional to (pi_w / pi_l)^(1 / beta) pi_ref."""
    return normalised((chosen - rejected) / beta + reference)


def rewarded(rewards: Tensor, reference: Tensor, beta: float) -> Tensor:
    """Equation 5: the distribution proportional to pi_ref exp(r / beta)."""
    return normalised(rewards / beta + reference)


def total_variation(one: Tensor, other: Tensor) -> Tensor:
    """Half the absolute difference of two distributions (...), between 0 and 1."""
    return (one.exp() - other.exp()).abs().sum(dim=-1) / 2


def divergence(one: Tensor, other: Tensor) -> Tensor:
    """KL(one || other) (...), in nats."""
    return (one.exp() * (one - other)).sum(dim=-1)


def regularised(policy: Tensor, rewards: Tensor, reference: Tensor, beta: float) -> Tensor:
    """Equation 2 (...): minus the expected reward, plus beta KL(pi || pi_ref)."""
    return -(policy.exp() * rewards).sum(dim=-1) + beta * divergence(policy, reference)


def as_reward(policy: Tensor, chosen: Tensor, rejected: Tensor, reference: Tensor, beta: float) -> Tensor:
    """Equation 8 (...): equation 2 with the reward log(pi_w / pi_l)."""
    return regularised(policy, chosen - rejected, reference, beta)


def as_divergences(policy: Tensor, chosen: Tensor, rejected: Tensor, reference: Tensor, beta: float) -> Tensor:
    """Equation 9 (...): KL(pi || pi_w) - KL(pi || pi_l) + beta KL(pi || pi_ref)."""
    from_data = divergence(policy, chosen) - divergence(policy, rejected)
    return from_data + beta * divergence(policy, reference)


def online_gradient(logits: Tensor, chosen: Tensor, reference: Tensor, beta: float) -> Tensor:
    """Theorem 4.5's left side (..., n): DPO's gradient if the policy itself, held fixed, draws the rejected."""
    pairs = independent(chosen, normalised(logits.detach()))
    return gradient(lambda theta: dpo_loss(normalised(theta), reference, pairs, beta), logits)


def sft_gradient(logits: Tensor, chosen: Tensor) -> Tensor:
    """The gradient (..., n) of the SFT loss."""
    return gradient(lambda theta: sft_loss(normalised(theta), chosen), logits)


def divergence_gradient(logits: Tensor, reference: Tensor) -> Tensor:
    """The gradient (..., n) of KL(pi || pi_ref)."""
    return gradient(lambda theta: divergence(normalised(theta), reference), logits)


def middle_gradient(logits: Tensor, chosen: Tensor, reference: Tensor) -> Tensor:
    """A.3's middle term (..., n) without its beta^2 / 4: minus the expectation of (f_l - f_w) grad log pi(y_w)."""
    policy = normalised(logits.detach())
    relative = policy - reference
    weights = chosen.exp() * ((policy.exp() * relative).sum(dim=-1, keepdim=True) - relative)
    return gradient(lambda theta: -(weights * normalised(theta)).sum(dim=-1), logits)
