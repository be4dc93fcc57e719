"""Section 4.1, what the paper reads from equation 7: Figure 1, and the chosen responses as a ceiling.

The paper says that rejected distributions which differ only where the chosen are rare "can" have similar ratios and
"may" give similar policies. That is checked with overlap there. It states no rule; one would also need that neither
leaves out what the chosen still have a little of, for equation 7 raises the ratio there to the power 1 / beta.
It finds it "intuitively unreasonable" to expect responses much better than the chosen, and proves nothing of the kind.
"""

from collections.abc import Sequence
from math import log

import torch
from torch import Tensor

from scripts.studies.theorems import Row, Statement, above, within
from studies.what_matters.theory import tabular
from studies.what_matters.theory.instances import BETA, BETAS, EXACT, RESPONSES, SIMILAR, Draws, middle, share

RARE, RARE_CHOSEN, RARE_REJECTED, THIN = 4, 0.01, 0.5, 1e-6
"""Figure 1: how many responses are rare, the chosen's and the rejected's share of them, and the rejected's least."""
CANDIDATES, LARGE_BETA = 4, 3.0
"""Responses sampled from the reference, of which the best is chosen and the worst rejected."""

OVERLAP = Statement(
    "Figure 1: rejected that differ only where the chosen are rare, and overlap there, can give similar policies",
    'Holds as the paper words it, with "can" and "may": the policies are within {0.tolerance:g} of each other in total '
    "variation in {2.median:.0%} of the instances at beta 1 and in {3.median:.0%} at beta 0.1 (median). Not in all.",
)
RULE = Statement(
    "Figure 1, as a rule: rejected that differ only where the chosen are rare give similar policies",
    'The paper says "can" and "may", and states no such rule. Where one rejected distribution leaves out almost all of '
    "one response that the chosen have a little of, the policies are {0.median:.2f} apart in total variation at beta 1 "
    "and {1.median:.2f} at beta 0.1 (median).",
    claimed=False,
)
CEILING = Statement(
    "Section 4.1, the chosen as a ceiling: the policy of equation 7 has no more reward than the chosen",
    'The paper calls responses "much better" than the chosen "intuitively unreasonable" to expect, and states no '
    f"bound. With the best of {CANDIDATES} samples of the reference as chosen and the worst as rejected, drawn "
    "independently, the policy has more expected reward than the chosen in {0.median:.0%} of the instances at beta "
    "0.1, {2.median:.0%} at beta 1 and {3.median:.0%} at beta 3 (median).",
    claimed=False,
)


def rejected_apart(seeds: Sequence[int]) -> list[Row]:
    """Figure 1: two rejected distributions that agree except on the rare responses, of which both have the same share.

    In the second statement, the other rejected distribution leaves out almost all of one rare response.
    """
    draws = Draws("figure 1", seeds)
    reference, frequent = draws.policy(), draws.policy(RESPONSES - RARE)
    chosen = mixed(RARE_CHOSEN, draws.policy(RARE), draws.policy(RESPONSES - RARE))
    rejected, overlapping = (mixed(RARE_REJECTED, draws.policy(RARE), frequent) for _ in range(2))
    thin = torch.full((RARE,), (1 - THIN) / (RARE - 1), dtype=torch.float64)
    thin[0] = THIN
    gapped = mixed(RARE_REJECTED, thin.log().expand(*frequent.shape[:-1], RARE), frequent)

    def apart(other: Tensor, beta: float) -> Tensor:
        one, two = (tabular.tilted(chosen, each, reference, beta) for each in (rejected, other))
        return tabular.total_variation(one, two)

    quantity, betas = "total variation of the two policies, beta {:g}, median", (1.0, BETA)
    return [
        *OVERLAP.rows(
            *(within(SIMILAR, 0.0, quantity.format(beta), middle(apart(overlapping, beta))) for beta in betas),
            *(
                above(
                    0.5,
                    f"share of instances within {SIMILAR:g}, beta {beta:g}",
                    share(apart(overlapping, beta) <= SIMILAR),
                )
                for beta in betas
            ),
        ),
        *RULE.rows(*(within(SIMILAR, 0.0, quantity.format(beta), middle(apart(gapped, beta))) for beta in betas)),
    ]


def mixed(part: float, rare: Tensor, frequent: Tensor) -> Tensor:
    """Distributions with this part of the probability on the rare responses, which come first."""
    return torch.cat([rare + log(part), frequent + log(1 - part)], dim=-1)


def best_and_worst(rewards: Tensor, policy: Tensor) -> tuple[Tensor, Tensor]:
    """The distributions (..., n) of the best and of the worst of CANDIDATES samples of a policy, if no rewards tie."""
    at_most = (policy.exp()[..., None, :] * (rewards[..., None, :] <= rewards[..., :, None])).sum(dim=-1)
    at_least = 1 - at_most + policy.exp()
    best = at_most**CANDIDATES - (at_most - policy.exp()) ** CANDIDATES
    worst = at_least**CANDIDATES - (at_least - policy.exp()) ** CANDIDATES
    return best.log(), worst.log()


def above_the_chosen(seeds: Sequence[int]) -> list[Row]:
    """Whether equation 7's policy can be better than the chosen responses."""
    draws = Draws("ceiling", seeds)
    rewards, reference = draws.normal(RESPONSES), draws.policy()
    chosen, rejected = best_and_worst(rewards, reference)

    def better(beta: float) -> Tensor:
        policy = tabular.tilted(chosen, rejected, reference, beta)
        return ((policy.exp() - chosen.exp()) * rewards).sum(dim=-1) > 0

    quantity = "share of instances in which the policy has more reward, beta {:g}"
    return CEILING.rows(
        *(within(EXACT, 0.0, quantity.format(beta), share(better(beta))) for beta in (*BETAS, LARGE_BETA))
    )
