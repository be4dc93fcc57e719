"""Section 4.1, what one gradient step changes: Theorem 4.1 and Proposition 4.2, with their proof in A.1.

Pairs are proposed by q and labelled by arbitrary preferences. A.1 shows that a step of gradient descent changes
f = log(pi / pi_ref) by the functional derivative g of equation 16, and reads the change of f as the probability's. On
logits, one per response, g is the whole gradient: it sums to zero over the responses. But the probabilities are
normalised after the step, and the normaliser changes all of them to first order in the step size, so that it is not
among the terms of second order that the proof neglects. Both statements are therefore true of the logit, and not of the
probability. Slips in A.1 that change nothing: equation 14 lacks the factor 2 p(x, y), equation 15 its 2; (16) is right.
"""

from collections.abc import Sequence

from torch import Tensor

from scripts.studies.theorems import Row, Statement, within
from studies.what_matters.theory import tabular
from studies.what_matters.theory.instances import (
    BETA,
    EXACT,
    HALVINGS,
    ORDER,
    RESPONSES,
    SUPPORTED,
    Draws,
    largest,
    middle,
    order,
    root_mean_square,
    share,
)

STEP, FEATURES = 1.0, 4
"""Step size; features per response where parameters are shared."""

UNSUPPORTED = Statement(
    "Theorem 4.1, the logit: a gradient step changes neither the logit of an unsupported response nor its odds against "
    "another one",
    "Holds to rounding, with one logit per response. Unsupported responses get no signal, as the theorem says.",
)
UNSUPPORTED_STATED = Statement(
    "Theorem 4.1, as stated: a gradient step leaves the probability of an unsupported response unchanged",
    "With one logit per response, the log-probability of an unsupported response moves by {0.median:.2f} of the "
    "root-mean-square move of the supported ones (median; up to {1.largest:.2f}), because the probabilities are "
    "normalised after the step. The move is of order {2.median:.0f} in the step size, so a small learning rate does "
    "not make it one of the terms that the proof neglects. What stands: the logit gets no signal, and no unsupported "
    "response gains on another.",
)
SHARED = Statement(
    "Theorem 4.1, shared parameters: a gradient step on features leaves the logit of an unsupported response unchanged",
    "The paper does not speak of shared parameters; its proof moves each response by itself. With "
    f"{FEATURES} random features per response, the logits of unsupported responses move {{0.median:.2f}} times as much "
    "as those of supported ones (median).",
    claimed=False,
)
SIGN = Statement(
    "Proposition 4.2, the logit: a gradient step raises the logit where the policy underestimates a response, lowers "
    "it where it overestimates, and leaves it where it is right",
    "Holds to rounding, with one logit per response, in all three cases.",
)
SIGN_STATED = Statement(
    "Proposition 4.2, as stated: a gradient step raises the probability where the policy underestimates a response, "
    "lowers it where it overestimates, and leaves it where it is right",
    "With one logit per response, cases (i) and (iii) are right for {0.median:.1%} of the responses (median): the "
    "normaliser outweighs a small difference. Case (ii), equality, fails in general: the log-probability moves by "
    "{1.median:.2f} of the root-mean-square move of the supported ones (median). What stands: all three cases, of the "
    "logit.",
)


def through(features: Tensor, gradient: Tensor) -> Tensor:
    """The direction (..., n) in which logits that are features (..., n, k) times weights follow the weights' gradient.

    gradient: by the logits, (..., n).
    """
    return (features @ (features.mT @ gradient[..., None]))[..., 0]


def steps(seeds: Sequence[int]) -> list[Row]:
    """One step from a random policy. The policy is right about all comparisons of the first response: case (ii)."""
    draws = Draws("steps", seeds)
    reference, policy = draws.policy(), draws.policy()
    proposals, preferences, f = draws.proposals(), draws.preferences(), policy - reference
    right = tabular.bradley_terry(BETA * f)
    preferences[..., 0, :], preferences[..., :, 0] = right[..., 0, :], right[..., :, 0]
    pairs = tabular.labelled(proposals, preferences)
    difference = tabular.underestimates(f, proposals, preferences, BETA)

    gradient = tabular.gradient(lambda x: tabular.dpo_loss(tabular.normalised(x), reference, pairs, BETA), policy)
    by_hand = tabular.derivative_by_hand(f, proposals, preferences, BETA)

    def change_of_log(size: float) -> Tensor:
        return tabular.normalised(policy - size * gradient) - policy

    logit, log, free, others = -STEP * gradient, change_of_log(STEP), slice(SUPPORTED, None), slice(1, SUPPORTED)
    of_supported = root_mean_square(log[..., :SUPPORTED])
    unsupported, even = log[..., SUPPORTED].abs() / of_supported, log[..., 0].abs() / of_supported

    features = draws.normal(RESPONSES, FEATURES)
    shared = -STEP * through(features, gradient)
    of_shared = root_mean_square(shared[..., free]) / root_mean_square(shared[..., :SUPPORTED])

    def agreeing(change: Tensor) -> Tensor:
        return share(change[..., others].sign() == difference[..., others].sign())

    relative = "move of log pi against the rms move of the supported"
    signs, equal = "share of changes with the difference's sign", "change where the difference is zero"
    return [
        *UNSUPPORTED.rows(
            within(EXACT, 0.0, "change of the logit, largest", largest(logit[..., free])),
            within(
                EXACT,
                0.0,
                "change of the log-odds of two of them, largest",
                largest(log[..., free] - log[..., SUPPORTED, None]),
            ),
        ),
        *UNSUPPORTED_STATED.rows(
            within(EXACT, 0.0, f"{relative}, median", middle(unsupported)),
            within(EXACT, 0.0, f"{relative}, largest", largest(unsupported)),
            within(
                ORDER,
                2.0,
                "order of the change of log pi in the step size",
                order([STEP * half for half in HALVINGS], lambda size: change_of_log(size)[..., free]),
            ),
        ),
        *SHARED.rows(
            within(
                EXACT, 0.0, "rms move of unsupported logits against that of supported ones, median", middle(of_shared)
            )
        ),
        *SIGN.rows(
            within(EXACT, 1.0, signs, agreeing(logit)),
            within(EXACT, 0.0, f"{equal}, largest", largest(logit[..., 0])),
            within(EXACT, 0.0, "equation 16 against the gradient, largest difference", largest(gradient - by_hand)),
        ),
        *SIGN_STATED.rows(
            within(EXACT, 1.0, signs, agreeing(log)),
            within(EXACT, 0.0, f"{equal}, against the rms move of the supported, median", middle(even)),
        ),
    ]
