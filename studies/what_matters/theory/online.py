"""Section 4.2, online DPO: Theorem 4.5, with its proof in A.3. The chosen are fixed; the policy draws the rejected.

With f = log(pi / pi_ref), A.3 expands sigma of beta (f_l - f_w) to first order. To second order in beta, the gradient
is beta / 2 times that of SFT, plus beta^2 / 4 times that of KL(pi || pi_ref), plus a middle term,

    -(beta^2 / 4) E[(f_l - f_w) grad log pi(y_w)].

The theorem writes the middle term as a number, epsilon_beta, times SFT's gradient. It is a weight inside the
expectation over the chosen, and need not point along SFT's gradient unless there is one chosen response (and one
prompt). As a number it is taken at its best here: the projection on SFT's gradient. beta alone does not make the
argument of sigma small: the expansion is one near the reference.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from scripts.studies.theorems import Quantity, Row, Statement, within
from studies.what_matters.theory import tabular
from studies.what_matters.theory.instances import (
    BETA,
    CLOSE,
    EXACT,
    HALVINGS,
    ORDER,
    RESPONSES,
    Draws,
    largest,
    middle,
    order,
)

LARGEST_BETA, SMALL_BETA = 0.2, 0.03
"""The largest beta from which orders are taken; the smaller of the betas that the paper reports from practice."""

EXPANSION = Statement(
    "Theorem 4.5, its expansion: with epsilon_beta as A.3 has it, a weight inside the expectation over the chosen, "
    "what is left is of higher than third order in beta",
    "Holds: what is left shrinks with beta to the power {0.median:.1f} (sigma has no second-order term).",
)
ONE_CHOSEN = Statement(
    "Theorem 4.5, for one chosen response: the middle term is a number, epsilon_beta = (beta / 4) E[f_l - f_w], times "
    "SFT's gradient",
    "Holds to rounding, for one prompt with one chosen response.",
)
STATED = Statement(
    "Theorem 4.5, as stated: the middle term is a number, epsilon_beta, times SFT's gradient, with a third-order error",
    "With several chosen responses, and the best number for each instance, what is left is of order {0.median:.1f} in "
    "beta, not 3: {1.median:.1%} of the gradient at beta 0.1 (median). What stands: the theorem for one prompt with "
    "one chosen response and, in general, with epsilon_beta as a weight inside the expectation over the chosen.",
)
NEAR = Statement(
    "Theorem 4.5, its approximation: online DPO's gradient is nearly that of SFT plus KL if beta is small",
    "Holds for policies about one nat from the reference: the relative error shrinks with beta to the power "
    "{0.median:.2f}, and is {1.median:.1%} at beta 0.1 and {2.median:.1%} at 0.03 (median).",
)
DROPPED = Statement(
    "Theorem 4.5, the terms of its approximation: the middle term, dropped, is small beside the KL term, kept",
    "The paper drops the middle term for small beta and does not compare the two. Both are of second order in beta, "
    "and the dropped one is {0.median:.1f} times as large (median).",
    claimed=False,
)
FAR = Statement(
    "Theorem 4.5, its approximation far from the reference: the same with log-ratios of ten nats",
    "The paper does not say how far from the reference the expansion reaches. At ten nats the relative error is "
    "{0.median:.0%} at beta 0.1 and {1.median:.0%} at 0.03, and the gradient is {2.median:.1f} times as long as its "
    "approximation at beta 0.1 (median).",
    claimed=False,
)


class Online:
    """The gradients (seeds, instances, n), with respect to the logits, in the theorem."""

    def __init__(self, logits: Tensor, chosen: Tensor, reference: Tensor) -> None:
        self._at = (logits, chosen, reference)
        self.sft = tabular.sft_gradient(logits, chosen)
        self.kl = tabular.divergence_gradient(logits, reference)
        self.middle = tabular.middle_gradient(logits, chosen, reference)

    def dpo(self, beta: float) -> Tensor:
        return tabular.online_gradient(*self._at, beta)

    def approximation(self, beta: float) -> Tensor:
        """The theorem's second line: SFT plus KL."""
        return beta / 2 * (self.sft + beta / 2 * self.kl)

    def error(self, beta: float) -> Tensor:
        return self.dpo(beta) - self.approximation(beta)

    def relative_error(self, beta: float) -> Tensor:
        """The norm (seeds, instances) of the error, as a share of the gradient's."""
        return self.relative_to_dpo(self.error(beta), beta)

    def relative_to_dpo(self, vector: Tensor, beta: float) -> Tensor:
        return vector.norm(dim=-1) / self.dpo(beta).norm(dim=-1)

    def remainder(self, beta: float) -> Tensor:
        """The remainder with the middle term as in A.3."""
        return self.error(beta) - beta**2 / 4 * self.middle

    def remainder_of_number(self, beta: float) -> Tensor:
        """The remainder with the best multiple of SFT's gradient in place of the middle term."""
        error = self.error(beta)
        return error - self._along_sft(error)[..., None] * self.sft

    def epsilon(self, beta: float) -> Tensor:
        """epsilon_beta (seeds, instances): the multiple of SFT's gradient, times beta, nearest to the middle term."""
        return beta / 4 * self._along_sft(self.middle)

    def _along_sft(self, vector: Tensor) -> Tensor:
        return (vector * self.sft).sum(dim=-1) / self.sft.square().sum(dim=-1)


def at_random(draws: Draws, nats: float, chosen: Tensor | None = None) -> Online:
    """Policies whose log-ratios to the reference, before normalisation, have a standard deviation of ``nats``."""
    random, reference = draws.policy(), draws.policy()
    return Online(reference + nats * draws.normal(RESPONSES), random if chosen is None else chosen, reference)


def expansion(seeds: Sequence[int]) -> list[Row]:
    """The theorem's two lines."""
    near, far = (at_random(Draws("online", seeds), nats) for nats in (1.0, 10.0))

    def order_of(error: Callable[[float], Tensor]) -> Tensor:
        return order([LARGEST_BETA * half for half in HALVINGS], error)

    def off(instances: Online, beta: float) -> Quantity:
        return within(CLOSE, 0.0, f"relative error, beta {beta:g}, median", middle(instances.relative_error(beta)))

    of_number = middle(near.relative_to_dpo(near.remainder_of_number(BETA), BETA))
    lengths = far.dpo(BETA).norm(dim=-1) / far.approximation(BETA).norm(dim=-1)
    terms = near.middle.norm(dim=-1) / near.kl.norm(dim=-1)
    return [
        *EXPANSION.rows(within(ORDER, 4.0, "order of the remainder in beta", order_of(near.remainder))),
        *one_chosen(seeds),
        *STATED.rows(
            within(ORDER, 3.0, "order of the remainder in beta", order_of(near.remainder_of_number)),
            within(BETA**2, 0.0, f"remainder, relative to the gradient, beta {BETA:g}, median", of_number),
        ),
        *NEAR.rows(
            within(ORDER, 1.0, "order of the relative error in beta", order_of(near.relative_error)),
            off(near, BETA),
            off(near, SMALL_BETA),
        ),
        *DROPPED.rows(within(CLOSE, 0.0, "norm of the dropped term against the kept one, median", middle(terms))),
        *FAR.rows(
            off(far, BETA),
            off(far, SMALL_BETA),
            within(
                CLOSE, 1.0, f"norm of the gradient against the approximation's, beta {BETA:g}, median", middle(lengths)
            ),
        ),
    ]


def one_chosen(seeds: Sequence[int]) -> list[Row]:
    """The theorem where there is one chosen response: the first."""
    draws = Draws("one chosen", seeds)
    reference, logits = draws.policy(), draws.normal(RESPONSES)
    chosen = one_hot(torch.zeros(logits.shape[:-1], dtype=torch.long), RESPONSES).double().log()
    one = Online(logits, chosen, reference)
    policy = tabular.normalised(logits)
    f = policy - reference
    epsilon = BETA / 4 * ((policy.exp() * f).sum(dim=-1) - f[..., 0])
    left = BETA / 4 * one.middle - epsilon[..., None] * one.sft
    return ONE_CHOSEN.rows(
        within(EXACT, 0.0, f"middle term less epsilon_beta times SFT's gradient, beta {BETA:g}, largest", largest(left))
    )
