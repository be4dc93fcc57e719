"""Appendix B.1 at the level of tokens, and B.2.1: Flex-DPO, DPO with a beta for each side."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import log

import torch
from torch import Tensor

from scripts.lib.objectives import PairLogps, flex_dpo
from scripts.studies.theorems import Row, Statement, within
from studies.three_d.theory.instances import (
    BETA,
    EXACT,
    NEAR,
    Draws,
    by_likelihood,
    by_log,
    largest,
    logs,
    relative,
    share,
    vanished,
)

TOKENS, VOCABULARY, LOWERED, REDUCED = 3, 5, 300.0, 0.08
"""Tokens a response, words, nats by which each token of the rejected is lowered, and the paper's beta-."""

TOKEN = Statement(
    "B.1, token level: as pi- goes to 0, the gradients by the chosen's logits are -C (1 - p) and C p, p probabilities",
    "Holds, with probabilities where the paper writes logits.",
)
TOKEN_PRINTED = Statement(
    "B.1, token level, as printed: they are -C (1 - x) and C x with x the logits",
    "Fails: x must be the softmax of the logits, as in the derivatives of s that precede it.",
)
TOKEN_REJECTED = Statement(
    "B.1, token level, as printed: the gradients by the rejected's logits have the same C, with beta+",
    "Fails for Flex-DPO, whose loss B.1 uses: the factor is beta-, and C is off by beta+ / beta-. Right where the two "
    "are equal.",
)
FLEX = Statement("B.2.1: Flex-DPO's gradients by pi+ and by pi-", "Right.")
FLEX_RATIO = Statement(
    "B.2.1, beside it: their ratio is -(beta- / beta+) (pi+ / pi-)",
    "So it is: the betas set how far the two log-likelihoods are pulled.",
    claimed=False,
)
DAMPENED = Statement(
    "B.2.1, as worded: a smaller beta- dampens the gradient by pi- as pi- goes to 0",
    "Fails in that limit: from beta- 0.1 to 0.08 it is larger at pi- = 1e-60 in every instance. With pi+ / pi0+ = "
    "5 / 3, pi- times the gradient goes from {1.median:.4f} to {2.median:.4f} at log(pi- / pi0-) = -10, and from "
    "{3.median:.4f} to {4.median:.4f} at -20.",
)
PEAKED = Statement(
    "Section 4.3: by beta-, the gradient by pi- first rises, then falls",
    "Holds where pi- < pi0-: the largest is where beta- |log(pi- / pi0-)| sigmoid(m) = 1, m the margin. Reducing beta- "
    "helps to the left of it, as the paper says there.",
)
UNSEEN = Statement(
    "B.2.1, beside it: with free logits, those of unseen responses move by sigmoid(-m) (beta+ - beta-) pi",
    "They do: with beta- < beta+ every unseen response is pushed down, with DPO none is by the loss itself.",
    claimed=False,
)


def rows(seeds: Sequence[int]) -> list[Row]:
    """B.1 and B.2.1, in the paper's order."""
    return [*tokens(seeds), *gradients(seeds), *reduced(seeds), *unseen(seeds)]


def tokens(seeds: Sequence[int]) -> list[Row]:
    """Both responses are TOKENS of VOCABULARY words, each with logits of its own; the first word is the one given."""
    draws = Draws("tokens", seeds)
    chosen, rejected = draws.normal(TOKENS, VOCABULARY), draws.normal(TOKENS, VOCABULARY)
    rejected[..., 0] -= LOWERED
    reference, beta_plus, beta_minus = draws.pair(), draws.between(0.05, 0.5), draws.between(0.05, 0.5)

    def slopes(beta_minus: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The gradients by all logits of both sides, and log C."""
        leaves = [each.clone().requires_grad_() for each in (chosen, rejected)]
        sums = [torch.log_softmax(each, dim=-1)[..., 0].sum(dim=-1) for each in leaves]
        pair = replace(reference, chosen=sums[0], rejected=sums[1])
        of = torch.autograd.grad(flex_dpo(pair, beta_plus, beta_minus).sum(), leaves)
        log_alpha = beta_plus * pair.ref_chosen - beta_minus * pair.ref_rejected
        log_c = log_alpha + beta_plus.log() - beta_plus * sums[0].detach() + beta_minus * sums[1].detach()
        return of[0], of[1], log_c.exp()[..., None, None]

    def formula(of: Tensor) -> Tensor:
        """1 - x for the word given, -x for the others."""
        given = torch.zeros(VOCABULARY, dtype=torch.float64)
        given[0] = 1
        return given - of

    by_chosen, by_rejected, c = slopes(beta_minus)
    _, equal, c_equal = slopes(beta_plus)
    fitting = [largest(by_chosen / c + formula(of)) for of in (chosen.softmax(dim=-1), chosen)]
    on_rejected = formula(rejected.softmax(dim=-1))
    return [
        *TOKEN.rows(within(NEAR, 0.0, "difference over C, largest", fitting[0])),
        *TOKEN_PRINTED.rows(within(NEAR, 0.0, "difference over C, largest", fitting[1])),
        *TOKEN_REJECTED.rows(
            within(NEAR, 0.0, "difference over C, with probabilities, largest", largest(by_rejected / c - on_rejected)),
            within(NEAR, 0.0, "the same with equal betas", largest(equal / c_equal - on_rejected)),
        ),
    ]


def gradients(seeds: Sequence[int]) -> list[Row]:
    draws = Draws("flex_dpo", seeds)
    pair, beta_plus, beta_minus = draws.pair(), draws.between(0.05, 0.95), draws.between(0.05, 0.95)
    plus, minus = pair.chosen.exp(), pair.rejected.exp()
    alpha = (beta_plus * pair.ref_chosen - beta_minus * pair.ref_rejected).exp()
    z = minus**beta_minus / plus**beta_plus
    found = by_likelihood(lambda of: flex_dpo(of, beta_plus, beta_minus), pair)
    shared = alpha * z / (1 + alpha * z)
    errors = [relative(found[0], -shared * beta_plus / plus), relative(found[1], shared * beta_minus / minus)]
    ratio = -(beta_minus / beta_plus) * (plus / minus)
    return [
        *FLEX.rows(within(EXACT, 0.0, "relative error, largest", largest(*errors))),
        *FLEX_RATIO.rows(within(EXACT, 0.0, "relative error, largest", largest(relative(found[1] / found[0], ratio)))),
    ]


def reduced(seeds: Sequence[int]) -> list[Row]:
    draws = Draws("reduced", seeds)
    pair = draws.pair()

    def at(beta: Tensor | float, of: PairLogps) -> Tensor:
        """log |d loss / d pi-| at a beta-."""
        return logs(partial(flex_dpo, beta_chosen=BETA, beta_rejected=beta), of)[1]

    late = vanished(pair, log(1e-60))
    # the numbers of one instance: pi+ has gone from 0.3 to 0.5, pi- down by e^10 or e^20
    one = replace(late, ref_rejected=torch.zeros_like(late.chosen), ref_chosen=torch.full_like(late.chosen, log(0.3)))
    one = replace(one, chosen=torch.full_like(late.chosen, log(0.5)))
    numbers = [
        within(
            1e-4,
            number,
            f"pi- times the gradient, beta- {beta:g}, log(pi- / pi0-) = {below:g}",
            by_log(partial(flex_dpo, beta_chosen=BETA, beta_rejected=beta), vanished(one, below))[1][:, 0],
        )
        for below, beta, number in (
            (-10, BETA, 0.0259),
            (-10, REDUCED, 0.0239),
            (-20, BETA, 0.0114),
            (-20, REDUCED, 0.0129),
        )
    ]
    fallen = replace(pair, rejected=pair.ref_rejected - draws.between(1.0, 60.0))
    peak = turning(fallen)
    is_peak = (at(peak, fallen) > at(0.9 * peak, fallen)) & (at(peak, fallen) > at(1.1 * peak, fallen))
    return [
        *DAMPENED.rows(
            within(EXACT, 1.0, "share in which it falls, pi- = 1e-60", share(at(REDUCED, late) < at(BETA, late))),
            *numbers,
        ),
        *PEAKED.rows(within(EXACT, 1.0, "share of instances in which it is largest there", share(is_peak))),
    ]


def turning(pair: PairLogps) -> Tensor:
    """The beta- at which beta- |u| sigmoid(m) = 1, u = log(pi- / pi0-) < 0: the left side rises with it; bisection."""
    gained, fallen = BETA * (pair.chosen - pair.ref_chosen), pair.ref_rejected - pair.rejected
    low, high = torch.zeros_like(fallen), (4 + gained.abs()) / fallen * 2
    for _ in range(80):
        middle = (low + high) / 2
        beyond = middle * fallen * torch.sigmoid(gained + middle * fallen) > 1
        low, high = torch.where(beyond, low, middle), torch.where(beyond, middle, high)
    return (low + high) / 2


def unseen(seeds: Sequence[int]) -> list[Row]:
    draws = Draws("unseen", seeds)
    logits, reference = draws.normal(10).requires_grad_(), draws.pair()
    beta_plus, beta_minus = draws.between(0.05, 0.95), draws.between(0.05, 0.95)
    logps = torch.log_softmax(logits, dim=-1)
    pair = replace(reference, chosen=logps[..., 0], rejected=logps[..., 1])
    (found,) = torch.autograd.grad(flex_dpo(pair, beta_plus, beta_minus).sum(), logits)
    margin = beta_plus * (pair.chosen - pair.ref_chosen) - beta_minus * (pair.rejected - pair.ref_rejected)
    pushed = (torch.sigmoid(-margin) * (beta_plus - beta_minus))[..., None] * logps.exp()
    return UNSEEN.rows(
        within(EXACT, 0.0, "difference from d loss / d logit, largest", largest((found - pushed)[..., 2:].detach()))
    )
