"""Section 4.1, what minimises the DPO loss: Theorem 4.3, Proposition 4.4 and equation 5, with the proof in A.2.

Theorem 4.3 assumes that chosen and rejected are drawn independently; both must be positive everywhere, or equation 7
has no value. Two responses ordered by a label are not independent, and equation 5 is their minimiser. The paper says
that equation 7 "will align" with (5) "in certain cases": two independent draws, ordered by rewards that are alike, are
one. Slips in A.2 that change nothing: the sign of log(pi_l / pi_w), and the factor -beta of equations 17 to 19.

Predictions are compared with minimisers found by optimisation, which uses nothing but values and derivatives of a loss.
"""

from collections.abc import Sequence

from torch import Tensor

from scripts.studies.theorems import Quantity, Row, Statement, within
from studies.what_matters.theory import tabular
from studies.what_matters.theory.instances import (
    BETA,
    BETAS,
    EXACT,
    HALVINGS,
    OPTIMISED,
    ORDER,
    RESPONSES,
    SIMILAR,
    Draws,
    largest,
    middle,
    order,
)

SPREADS = (1.0, 0.3, 0.1)
"""Standard deviations of the rewards, and the betas with them, with which equations 5 and 7 are compared."""

MINIMISER = Statement(
    "Theorem 4.3: with independent chosen and rejected, both positive everywhere, the minimiser of DPO's loss is "
    "proportional to (pi_w / pi_l)^(1 / beta) pi_ref",
    "Holds to the optimiser's precision, at every beta tried.",
)
REWARD = Statement(
    "Proposition 4.4: the same policy minimises equation 8, which equals equation 9",
    "Holds to the optimiser's precision, and the two equations agree to rounding.",
)
LABELLED = Statement(
    "Theorem 4.3, without its independence: where Bradley-Terry labels order two draws, the minimiser is equation 7 of "
    "the marginals",
    "The paper assumes independence and does not claim this. With labelled pairs the minimiser is equation 5; equation "
    "7 is {0.median:.3f}, {1.median:.3f} and {2.median:.3f} away from it in total variation at beta 0.1, 0.3 and 1 "
    "(median): near, and not equal.",
    claimed=False,
)
ALIGNED = Statement(
    "Theorem 4.3, its agreement with equation 5: the two agree in certain cases, such as Bradley-Terry labels on two "
    "independent draws of similar reward",
    "Holds in this case: with rewards of standard deviation s and beta = s, the policies of equations 5 and 7 are "
    "{0.median:.3f} apart in total variation at s = 1 and {2.median:.4f} at s = 0.1 (median), closing with the square "
    "of s.",
)
REWARDED = Statement(
    "Equation 5: where Bradley-Terry labels order two draws, the policy proportional to pi_ref exp(r / beta) minimises "
    "equations 2 and 4",
    "Holds to the optimiser's precision, at every beta tried: of the reward objective (2) and of the DPO loss (4).",
)
FROM_REFERENCE = Statement(
    "Section 4.1, the chosen: with beta 1 and the rejected drawn from the reference, the minimiser is pi_w",
    "Holds to the optimiser's precision, with independent chosen and rejected.",
)


def minimisers(seeds: Sequence[int]) -> list[Row]:
    """Theorem 4.3, Proposition 4.4 and section 4.1's remark on beta 1: chosen and rejected drawn independently."""
    draws = Draws("minimisers", seeds)
    chosen, rejected, reference, policy = (draws.policy() for _ in range(4))
    pairs = tabular.independent(chosen, rejected)
    of_loss, of_reward = [], []
    for beta in BETAS:
        given = (chosen, rejected, reference, beta)
        predicted = tabular.tilted(*given)
        slope = tabular.derivative(predicted - reference, pairs, beta).norm(dim=-1)
        of_loss += [
            found_at(predicted, tabular.found(tabular.dpo_loss, reference, reference, pairs, beta), beta),
            within(EXACT, 0.0, f"norm of the gradient there, beta {beta:g}, largest", largest(slope)),
        ]
        of_reward.append(found_at(predicted, tabular.found(tabular.as_reward, reference, *given), beta, "equation 8"))
    given = (policy, chosen, rejected, reference, BETA)
    gap = largest(tabular.as_reward(*given) - tabular.as_divergences(*given))
    from_reference = tabular.independent(chosen, reference)
    return [
        *MINIMISER.rows(*of_loss),
        *REWARD.rows(*of_reward, within(EXACT, 0.0, "equation 8 less equation 9 on random policies, largest", gap)),
        *FROM_REFERENCE.rows(
            found_at(chosen, tabular.found(tabular.dpo_loss, reference, reference, from_reference, 1.0), 1.0)
        ),
    ]


def found_at(predicted: Tensor, found: Tensor, beta: float, of: str = "the DPO loss") -> Quantity:
    """That the minimiser of a loss is where a statement says."""
    quantity = f"total variation from the minimiser of {of}, as found, beta {beta:g}, largest"
    return within(OPTIMISED, 0.0, quantity, largest(tabular.total_variation(found, predicted)))


def labelled_minimisers(seeds: Sequence[int]) -> list[Row]:
    """Equation 5, and Theorem 4.3 on the marginals: two draws of one proposal, ordered by Bradley-Terry labels."""
    draws = Draws("labels", seeds)
    rewards, reference, proposal = draws.normal(RESPONSES), draws.policy(), draws.policy()
    proposals = tabular.independent(proposal, proposal)

    def of_marginals(rewards: Tensor, beta: float) -> Tensor:
        pairs = tabular.labelled(proposals, tabular.bradley_terry(rewards))
        return tabular.tilted(pairs.sum(dim=-1).log(), pairs.sum(dim=-2).log(), reference, beta)

    def apart(spread: float) -> Tensor:
        scaled = spread * rewards
        return tabular.total_variation(of_marginals(scaled, spread), tabular.rewarded(scaled, reference, spread))

    pairs = tabular.labelled(proposals, tabular.bradley_terry(rewards))
    of_loss, of_objective, dependent = [], [], []
    for beta in BETAS:
        predicted = tabular.rewarded(rewards, reference, beta)
        best = tabular.found(tabular.dpo_loss, reference, reference, pairs, beta)
        objective = tabular.found(tabular.regularised, reference, rewards, reference, beta)
        of_loss.append(found_at(predicted, best, beta))
        of_objective.append(found_at(predicted, objective, beta, "equation 2"))
        off = middle(tabular.total_variation(best, of_marginals(rewards, beta)))
        dependent.append(
            within(
                OPTIMISED,
                0.0,
                f"total variation from the minimiser of the DPO loss, as found, beta {beta:g}, median",
                off,
            )
        )
    return [
        *REWARDED.rows(*of_loss, *of_objective),
        *ALIGNED.rows(
            *(
                within(
                    SIMILAR, 0.0, f"total variation of the two, s and beta {spread:g}, median", middle(apart(spread))
                )
                for spread in SPREADS
            ),
            within(ORDER, 2.0, "order in s of their total variation", order([0.2 * half for half in HALVINGS], apart)),
        ),
        *LABELLED.rows(*dependent),
    ]
