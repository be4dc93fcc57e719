"""Section 4.2, online DPO on its way: the sign of Theorem 4.5's epsilon_beta, and the policy that training reaches.

The paper remarks that epsilon_beta is "likely to be positive", because the policy itself draws the rejected: read as,
in more than half of the cases. Its sign is about that of a difference of means of f = log(pi / pi_ref), under the
policy less under the chosen (exactly that for one chosen response). At random, a policy has higher f where it has more
probability; training raises f where the chosen have more than the policy.

With pi itself for pi_l, equation 7 gives the policy at which online DPO stands still: it is proportional to
pi*^(1 / (1 + beta)) pi_ref^(beta / (1 + beta)).
"""

from collections.abc import Iterator, Sequence

from torch import Tensor

from scripts.studies.theorems import Quantity, Row, Statement, above, within
from studies.what_matters.theory import tabular
from studies.what_matters.theory.instances import (
    BETA,
    EXACT,
    RESPONSES,
    SIMILAR,
    Draws,
    largest,
    middle,
    share,
    smallest,
)
from studies.what_matters.theory.online import SMALL_BETA, Online

NATS = (0.1, 1.0, 3.0)
MANY = 1000
"""Instances per seed of policies at random: at 0.1 nats the share is not far above one half."""
STEPS = (1, 10, 100)

SIGN = Statement(
    "Theorem 4.5, the sign of epsilon_beta: likely positive, policies at random around the reference",
    "Holds: positive in {0.median:.0%}, {1.median:.0%} and {2.median:.0%} of the instances at 0.1, 1 and 3 nats from "
    "the reference (median).",
)
TRAINED = Statement(
    "Theorem 4.5, the sign of epsilon_beta in training: likely positive, policies that online DPO reaches",
    'The paper says "likely", in a remark. For one prompt, started at the reference, with exact gradients, it is '
    "positive in at most {0.largest:.0%}, {1.largest:.0%} and {2.largest:.0%} of the instances after 1, 10 and 100 "
    "steps: training raises f where the chosen have more probability than the policy. What stands: the conclusion that "
    "online DPO follows SFT's gradient, whose weight 1 / 2 + epsilon_beta stays positive.",
)
WEIGHT = Statement(
    "Theorem 4.5, its conclusion in training: the weight of SFT's gradient, 1 / 2 + epsilon_beta, stays positive",
    "Holds: it is at least {2.smallest:.2f} after 10 steps and at least {0.smallest:.2f} where online DPO stands "
    "still, at beta 0.1. A negative epsilon_beta slows SFT down and does not reverse it.",
)
STANDSTILL = Statement(
    "Section 4.2, where online DPO ends: near pi*, as SFT does, for small beta",
    "Holds: its gradient is zero at the policy proportional to pi*^(1 / (1 + beta)) pi_ref^(beta / (1 + beta)), which "
    "is {0.median:.3f} from pi* in total variation at beta 0.1 and {1.median:.3f} at 0.03 (median), and training from "
    "the reference comes near it. The paper does not state this; it is in its favour.",
)


def standstill(chosen: Tensor, reference: Tensor, beta: float) -> Tensor:
    """The policy (..., n) at which online DPO stands still."""
    return tabular.normalised((chosen + beta * reference) / (1 + beta))


def trained(chosen: Tensor, reference: Tensor) -> Iterator[Tensor]:
    """Logits (..., n) after each number of STEPS from the reference, by gradient descent at step size 1 / beta."""
    logits = reference
    for step in range(1, max(STEPS) + 1):
        logits = logits - tabular.online_gradient(logits, chosen, reference, BETA) / BETA
        if step in STEPS:
            yield logits


def signs(seeds: Sequence[int]) -> list[Row]:
    """The remark on the sign, for policies at random."""
    draws = Draws("signs", seeds, MANY)
    chosen, reference, direction = draws.policy(), draws.policy(), draws.normal(RESPONSES)
    positive = {nats: Online(reference + nats * direction, chosen, reference).epsilon(BETA) > 0 for nats in NATS}
    return SIGN.rows(
        *(
            above(0.5, f"share that is positive, nats from the reference: {nats:g}", share(which))
            for nats, which in positive.items()
        )
    )


def training(seeds: Sequence[int]) -> list[Row]:
    """The remark on the sign and the theorem's conclusion, in training, and where training ends."""
    draws = Draws("training", seeds)
    chosen, reference = draws.policy(), draws.policy()
    still, still_small = (standstill(chosen, reference, beta) for beta in (BETA, SMALL_BETA))
    passed = dict(zip(STEPS, trained(chosen, reference), strict=True))
    epsilon = {f"steps: {steps}": Online(logits, chosen, reference).epsilon(BETA) for steps, logits in passed.items()}
    at_end = Online(still, chosen, reference).epsilon(BETA)
    slope = tabular.online_gradient(still, chosen, reference, BETA).norm(dim=-1)
    last = tabular.normalised(passed[max(STEPS)])
    return [
        *TRAINED.rows(*(above(0.5, f"share that is positive, {when}", share(e > 0)) for when, e in epsilon.items())),
        *WEIGHT.rows(
            above(0.0, "smallest weight, where online DPO stands still", smallest(0.5 + at_end)),
            *(above(0.0, f"smallest weight, {when}", smallest(0.5 + e)) for when, e in epsilon.items()),
        ),
        *STANDSTILL.rows(
            near(f"pi*, beta {BETA:g}", still, chosen),
            near(f"pi*, beta {SMALL_BETA:g}", still_small, chosen),
            near(f"the one that {max(STEPS)} steps from the reference reach", still, last),
            within(EXACT, 0.0, f"norm of the gradient there, beta {BETA:g}, largest", largest(slope)),
        ),
    ]


def near(what: str, still: Tensor, other: Tensor) -> Quantity:
    quantity = f"total variation of that policy from {what}, median"
    return within(SIMILAR, 0.0, quantity, middle(tabular.total_variation(still, other)))
