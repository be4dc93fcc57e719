"""Appendices B.2 and B.3: Flex-DPO, SFT-DPO, IPO, SLiC and SimPO, each by the loss that trains policies here."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import log

import torch
from torch import Tensor

from scripts.lib.objectives import PairLogps, dpo, flex_dpo, ipo, sft_dpo, simpo, slic
from scripts.studies.theorems import Row, Statement, above, within
from studies.three_d.theory.instances import (
    BETA,
    EXACT,
    NEAR,
    VANISHED,
    Draws,
    Loss,
    by_likelihood,
    by_log,
    largest,
    logs,
    relative,
    share,
    smallest,
    vanished,
)

REDUCED, DELTA, ETA, GAMMA = 0.08, 5.0, 0.1, 0.1
"""The paper's beta- of Flex-DPO, its delta and eta of SLiC, its eta of IPO, and a gamma, which it does not give."""

SFT = Statement("B.2.2: the gradients given for SFT-DPO", "Right, for the loss with + gamma log pi+ in the braces.")
SFT_PRINTED = Statement(
    "B.2.2, equation 6 as printed: these are its gradients",
    "Fails by a sign: with - gamma log pi+ in the braces of (6), the last term of the gradient by pi+ is "
    "+ gamma / pi+ and lowers the chosen.",
)
SFT_LIMIT = Statement("B.2.2: as pi- goes to 0, the gradient by pi+ goes to -gamma / pi+", "Right.")
SFT_DIVERGES = Statement(
    "B.2.2, beside it: the gradient by pi- still diverges",
    "It does: SFT-DPO keeps the chosen's gradient alive and leaves the rejected's as it was.",
    claimed=False,
)
IPO = Statement("B.3.1: IPO's gradients (8) and (9)", "Right.")
IPO_TURNS = Statement(
    "B.3.1, beside it: both signs turn where the log-ratios are 1 / (2 eta) apart",
    "They do: beyond that margin IPO lowers the chosen and raises the rejected.",
    claimed=False,
)
SLIC = Statement("B.3.2: SLiC's gradients (11) and (12)", "Right, off the kink.")
SLIC_BOUND = Statement(
    "B.3.2, beside it: the gradient by pi- is at most e^delta / pi+, and 0 once the margin is reached",
    "So it is. SLiC has no reference policy.",
    claimed=False,
)
SIMPO = Statement("B.3.3: SimPO's gradients (14) and (15), and their ratio (16)", "Right.")
SIMPO_DIFFERS = Statement(
    "B.3.3, as worded: different from DPO, SimPO's gradient by pi+ goes to 0 with pi-",
    "It goes to 0, and so does DPO's, by Corollary 2: no difference.",
)
LEMMA = Statement(
    "Lemma 1: as pi- goes to 0, SimPO's gradient by pi- goes to 0, to beta C / |a-| or to infinity, with beta above, "
    "at or below |a-|",
    "Right: beta / |a-| plays the part of DPO's beta.",
)
REMARK = Statement(
    "Remark 1, at pi- = 1e-300: of the variants' gradients by pi-, which are bounded",
    "SLiC's alone. Flex-DPO's, SFT-DPO's, IPO's and, with beta < |a-|, SimPO's diverge; IPO's with the sign that "
    'raises the rejected. So "alleviate" cannot mean this limit.',
    claimed=False,
)


def rows(seeds: Sequence[int]) -> list[Row]:
    """SFT-DPO, IPO, SLiC and SimPO, in the paper's order; Flex-DPO is in flex.py."""
    return [*of_sft_dpo(seeds), *of_ipo(seeds), *of_slic(seeds), *of_simpo(seeds), *all_in_the_limit(seeds)]


def of_sft_dpo(seeds: Sequence[int]) -> list[Row]:
    draws = Draws("sft_dpo", seeds)
    pair, beta, gamma = draws.pair(), draws.between(0.05, 0.95), draws.between(0.05, 2.0)
    loss = partial(sft_dpo, beta=beta, gamma=gamma)
    of_dpo, found = by_likelihood(partial(dpo, beta=beta), pair), by_likelihood(loss, pair)
    pull = gamma / pair.chosen.exp()
    given = (of_dpo[0] - pull, of_dpo[1])

    def printed(of: PairLogps) -> Tensor:
        return dpo(of, beta=beta) + gamma * of.chosen

    off = (by_likelihood(printed, pair)[0] - given[0]) / pull
    far, near = (logs(loss, vanished(pair, at))[1] for at in (VANISHED, log(1e-200)))
    return [
        *SFT.rows(within(EXACT, 0.0, "relative error, largest", largest(*map(relative, found, given)))),
        *SFT_PRINTED.rows(within(EXACT, 0.0, "difference by pi+, in units of gamma / pi+, largest", largest(off))),
        *SFT_LIMIT.rows(
            within(
                NEAR,
                0.0,
                "relative error at pi- = 1e-300, largest",
                largest(relative(by_log(loss, vanished(pair))[0], -gamma)),
            )
        ),
        *SFT_DIVERGES.rows(
            above(0.0, "growth of its logarithm from pi- = 1e-200 to 1e-300, smallest", smallest(far - near))
        ),
    ]


def of_ipo(seeds: Sequence[int]) -> list[Row]:
    draws = Draws("ipo", seeds)
    pair, eta = draws.pair(), draws.between(0.05, 1.0)
    loss = partial(ipo, eta=eta)
    apart = pair.chosen - pair.ref_chosen - pair.rejected + pair.ref_rejected
    off = 2 * (apart - 1 / (2 * eta))
    given = (off / pair.chosen.exp(), -off / pair.rejected.exp())
    found = by_likelihood(loss, pair)
    # the same pair, with pi- such that the margin is passed
    beyond = replace(pair, rejected=pair.rejected - (1 / (2 * eta) - apart).clamp(min=0) - 1)
    past = by_log(loss, beyond)
    before = apart < 1 / (2 * eta)
    turned = (past[0] > 0) & (past[1] < 0) & ((found[0] < 0) == before) & ((found[1] > 0) == before)
    return [
        *IPO.rows(within(EXACT, 0.0, "relative error, largest", largest(*map(relative, found, given)))),
        *IPO_TURNS.rows(within(EXACT, 1.0, "share of instances in which they turn there", share(turned))),
    ]


def of_slic(seeds: Sequence[int]) -> list[Row]:
    draws = Draws("slic", seeds)
    pair, delta, eta = draws.pair(), draws.between(0.0, 3.0), draws.between(0.05, 2.0)
    found = by_likelihood(partial(slic, delta=delta, eta=eta), pair)
    within_margin = (delta > pair.chosen - pair.rejected).double()
    given = (-(within_margin + eta) / pair.chosen.exp(), within_margin / pair.rejected.exp())
    bound = (delta - pair.chosen).exp()
    after = by_log(partial(slic, delta=delta, eta=eta), vanished(pair))[1]
    return [
        *SLIC.rows(
            within(
                EXACT,
                0.0,
                "difference, in units of 1 / pi, largest",
                largest((found[0] - given[0]) * pair.chosen.exp(), (found[1] - given[1]) * pair.rejected.exp()),
            )
        ),
        *SLIC_BOUND.rows(
            within(
                EXACT, 0.0, "excess over the bound, relative, largest", largest((found[1] / bound - 1).clamp(min=0))
            ),
            within(EXACT, 0.0, "gradient by log pi- at pi- = 1e-300, largest", largest(after)),
        ),
    ]


def of_simpo(seeds: Sequence[int]) -> list[Row]:
    draws = Draws("simpo", seeds)
    pair, beta, gamma = draws.pair(), draws.between(0.5, 10.0), draws.between(0.0, 2.0)
    plus, minus = pair.chosen.exp(), pair.rejected.exp()

    def given(of: PairLogps, beta: Tensor) -> tuple[Tensor, Tensor]:
        """(14) and (15), times pi+ and pi-."""
        margin = beta / of.chosen_length * of.chosen - beta / of.rejected_length * of.rejected - gamma
        return -beta / of.chosen_length * torch.sigmoid(-margin), beta / of.rejected_length * torch.sigmoid(-margin)

    found = by_likelihood(partial(simpo, beta=beta, gamma=gamma), pair)
    expected = given(pair, beta)
    errors = (relative(found[0] * plus, expected[0]), relative(found[1] * minus, expected[1]))
    ratio = -pair.chosen_length * plus / (pair.rejected_length * minus)

    # with a chosen response no shorter than the rejected C stays small enough for the limit to be near
    even = replace(pair, chosen_length=torch.maximum(pair.chosen_length, pair.rejected_length))

    def late(share_of_length: float, at: float) -> tuple[Tensor, Tensor]:
        """Logarithms of both gradients with beta a share of |a-|."""
        loss = partial(simpo, beta=share_of_length * even.rejected_length, gamma=gamma)
        return logs(loss, vanished(even, at))

    log_c = -even.rejected_length / even.chosen_length * even.chosen + gamma
    gone = late(0.5, VANISHED)[0].exp()
    return [
        *SIMPO.rows(
            within(EXACT, 0.0, "relative error of the gradients, largest", largest(*errors)),
            within(EXACT, 0.0, "relative error of the ratio, largest", largest(relative(found[1] / found[0], ratio))),
        ),
        *SIMPO_DIFFERS.rows(
            within(NEAR, 0.0, "SimPO's gradient by pi+ at pi- = 1e-300, beta = |a-| / 2, largest", largest(gone)),
            above(
                NEAR,
                "DPO's there, beta 0.5, largest",
                largest(logs(partial(dpo, beta=0.5), vanished(pair))[0].exp()),
            ),
        ),
        *LEMMA.rows(
            within(
                NEAR,
                0.0,
                "gradient by pi- at pi- = 1e-200, beta = 1.5 |a-|, largest",
                largest(late(1.5, log(1e-200))[1].exp()),
            ),
            within(
                NEAR,
                0.0,
                "relative difference from beta C / |a-| there, beta = |a-|, largest",
                largest((late(1.0, log(1e-200))[1] - log_c).expm1()),
            ),
            above(log(1e9), "its logarithm there, beta = |a-| / 2, smallest", smallest(late(0.5, log(1e-200))[1])),
        ),
    ]


def all_in_the_limit(seeds: Sequence[int]) -> list[Row]:
    pair = vanished(Draws("remark 1", seeds).pair())
    short = replace(pair, rejected_length=pair.rejected_length + 10)  # |a-| above SimPO's default beta, as in practice
    variants: dict[str, Loss] = {
        "Flex-DPO": partial(flex_dpo, beta_chosen=BETA, beta_rejected=REDUCED),
        "SFT-DPO": partial(sft_dpo, beta=BETA, gamma=GAMMA),
        "IPO": partial(ipo, eta=ETA),
        "SLiC": partial(slic, delta=DELTA, eta=ETA),
        "SimPO": simpo,
    }
    return REMARK.rows(
        *(
            within(NEAR, 0.0, f"{name}: log10 of one more than the gradient, smallest", _log10_above(loss, short))
            for name, loss in variants.items()
        )
    )


def _log10_above(loss: Loss, pair: PairLogps) -> Tensor:
    """log10(1 + |d loss / d pi-|), the smallest of each seed: 0 if it vanishes."""
    return smallest(torch.logaddexp(logs(loss, pair)[1], torch.zeros(()).double()) / log(10))
