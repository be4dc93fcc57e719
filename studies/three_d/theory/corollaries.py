"""Section 3: Corollaries 1 to 3 on DPO's gradients, what they say of the properties, and section 3.4, reward models."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import log

import torch
from torch.nn.functional import logsigmoid

from scripts.lib.objectives import dpo, implicit_rewards
from scripts.studies.theorems import Row, Statement, above, within
from studies.three_d.theory.instances import (
    BETA,
    EXACT,
    NEAR,
    RESPONSES,
    VANISHED,
    Draws,
    by_likelihood,
    by_log,
    largest,
    logs,
    middle,
    relative,
    share,
    smallest,
    step_on_logits,
    vanished,
)

FEATURES = 4
"""Parameters that ten responses share, where they share any."""

GRADIENTS = Statement("Section 3.1: the gradients of DPO's loss by pi+ and by pi-", "Right, as free coordinates.")
RATIO = Statement("Corollary 1: the gradient by pi- over that by pi+ is -pi+ / pi-", "Right.")
COORDINATES = Statement(
    "Corollary 1, by log-likelihood: the two gradients are equal and opposite",
    "So they are, by logits and by implicit rewards too. The ratio of Corollary 1 is that of the coordinates; the one "
    "by pi- is the larger exactly where pi+ > pi-, in {1.median:.0%} of the instances (median).",
    claimed=False,
)
FASTER = Statement(
    "Property 1, from Corollary 1, in likelihood: where pi+ > pi-, a step moves pi- more than pi+",
    "Fails for free logits: a small gradient step on one pair moves pi- less than pi+ in every instance with "
    "pi+ > pi-. The larger derivative is that of the smaller likelihood.",
)
FASTER_IN_LOG = Statement(
    "Property 1, from Corollary 1, in log-likelihood: where pi+ > pi-, a step moves log pi- more than log pi+",
    "Holds for free logits, by (1 + pi+ - pi-) / (1 - pi+ + pi-), {1.median:.2f} (median).",
)
VANISHING = Statement(
    "Corollary 2: as pi- goes to 0, beta < 1, the gradient by pi+ goes to 0 as pi-^beta, that by pi- to infinity as "
    "pi-^(beta - 1)",
    "Right, with pi+ fixed.",
)
PACE = Statement(
    "Corollary 2, pace: how much larger its limit is than the gradient at likelihoods that occur, beta 0.1",
    "By 1 + alpha (pi- / pi+)^beta, which goes to 1 slowly: {0.median:.2f} at pi- = 1e-6 and {1.median:.2f} at 1e-12 "
    "(median).",
    claimed=False,
)
OTHER_BETA = Statement(
    "Corollary 2, for beta of 1 or more: the gradient by pi- goes to infinity",
    "The paper assumes beta < 1. At 1 the gradient goes to alpha / pi+, at 1.5 to 0.",
    claimed=False,
)
FALLS = Statement(
    "Corollary 3, from Corollaries 1 and 2 alone: with pi- near 0 the chosen falls with the rejected",
    "Does not follow: on one pair with free logits the chosen rises in every instance. The gradient by pi+ is small, "
    "and of the right sign.",
)
DISPERSES = Statement(
    "Corollary 3, from Corollaries 1 and 2 alone: with pi- near 0 the unseen responses rise",
    "Fails for free logits: with pi- near 0 all unseen responses fall.",
)
UNSEEN_RULE = Statement(
    "Corollary 3, what it takes with free logits: unseen responses rise where pi- > pi+, and only there",
    "So it is, all by the same factor. A step gives pi+ what it takes from pi-, and normalisation decides the rest.",
    claimed=False,
)
SHARED = Statement(
    "Corollary 3, with shared parameters: the chosen can fall, and the unseen rise",
    f"They can: with random features, {FEATURES} parameters for {RESPONSES} responses, the chosen falls in "
    "{0.median:.0%} and the unseen rise in {1.median:.0%} of the instances (median); free logits have 0% and "
    "{2.median:.0%}. If the rejected's features are mostly the chosen's, twice as large, the chosen falls in "
    "{3.median:.0%}. That is the reason which the paper gives in words; it is a property of the network and of the "
    "data, not of the loss.",
    claimed=False,
)
REWARD_MODEL = Statement("Section 3.4: the gradients of the reward model's loss by r+ and by r-", "Right.")
BALANCE = Statement(
    "Section 3.4, as stated: these gradients are balanced, and DPO's are not",
    "Fails: by its implicit rewards DPO's gradients are the reward model's, to {0.largest:.0e}. The paper compares "
    "derivatives by rewards with derivatives by likelihoods.",
)


def rows(seeds: Sequence[int]) -> list[Row]:
    """All of section 3, in the paper's order."""
    return [*corollary_1(seeds), *corollary_2(seeds), *corollary_3(seeds), *reward_model(seeds)]


def corollary_1(seeds: Sequence[int]) -> list[Row]:
    draws = Draws("corollary 1", seeds)
    pair, beta = draws.pair(), draws.between(0.05, 0.95)
    loss = partial(dpo, beta=beta)
    plus, minus = pair.chosen.exp(), pair.rejected.exp()
    alpha, z = ((pair.ref_chosen - pair.ref_rejected) * beta).exp(), minus / plus
    shared = alpha * beta / (1 + alpha * z**beta) * z ** (beta - 1)
    found = by_likelihood(loss, pair)
    errors = [relative(found[0], -shared * minus / plus**2), relative(found[1], shared / plus)]
    by_logs = by_log(loss, pair)

    policy = draws.policy()
    step = step_on_logits(torch.full_like(policy[..., 0], BETA), policy)
    moved, leads = (policy.exp() * step).abs(), policy[..., 0] > policy[..., 1]
    faster, faster_in_log = (of[..., 1] > of[..., 0] for of in (moved, step.abs()))
    plus, minus = policy[..., 0].exp(), policy[..., 1].exp()
    return [
        *GRADIENTS.rows(within(EXACT, 0.0, "relative error, largest", largest(*errors))),
        *RATIO.rows(within(EXACT, 0.0, "relative error, largest", largest(found[1] / found[0] * z + 1))),
        *COORDINATES.rows(
            within(EXACT, 0.0, "sum of the two by log-likelihood, largest", largest(by_logs[0] + by_logs[1])),
            above(0.0, "share of instances in which the one by pi- is the larger", share(found[1] > -found[0])),
            within(
                EXACT,
                0.0,
                "share in which that is not where pi+ > pi-",
                share((found[1] > -found[0]) != (pair.chosen > pair.rejected)),
            ),
        ),
        *FASTER.rows(above(0.5, "share in which pi- moves more, where pi+ > pi-", share(faster, leads))),
        *FASTER_IN_LOG.rows(
            within(EXACT, 1.0, "share in which log pi- moves more, where pi+ > pi-", share(faster_in_log, leads)),
            above(1.0, "by what factor, median where pi+ > pi-", _middle_among(step, leads)),
            within(
                EXACT,
                0.0,
                "relative difference of that factor from the formula, largest",
                largest(relative((step[..., 1] / step[..., 0]).abs(), (1 + plus - minus) / (1 - plus + minus))),
            ),
        ),
    ]


def _middle_among(step: torch.Tensor, among: torch.Tensor) -> list[float]:
    factor = (step[..., 1] / step[..., 0]).abs()
    return [one[of].median().item() for one, of in zip(factor, among, strict=True)]


def corollary_2(seeds: Sequence[int]) -> list[Row]:
    draws = Draws("corollary 2", seeds)
    pair, beta = draws.pair(), draws.between(0.05, 0.95)
    loss = partial(dpo, beta=beta)
    log_alpha = beta * (pair.ref_chosen - pair.ref_rejected)
    found = logs(loss, vanished(pair))
    limits = (
        log_alpha + beta.log() - (beta + 1) * pair.chosen + beta * VANISHED,
        log_alpha + beta.log() - beta * pair.chosen + (beta - 1) * VANISHED,
    )
    errors = [(one - other).expm1() for one, other in zip(found, limits, strict=True)]
    earlier = logs(loss, vanished(pair, log(1e-200)))
    order = [(one - other) / (VANISHED - log(1e-200)) for one, other in zip(found, earlier, strict=True)]

    def ahead(at: float) -> torch.Tensor:
        limit = BETA * (pair.ref_chosen - pair.ref_rejected) + log(BETA) - BETA * pair.chosen + (BETA - 1) * log(at)
        return (limit - logs(partial(dpo, beta=BETA), vanished(pair, log(at)))[1]).exp()

    at_one = by_log(partial(dpo, beta=1.0), vanished(pair))[1] / vanished(pair).rejected.exp()
    alpha_over_plus = (pair.ref_chosen - pair.ref_rejected - pair.chosen).exp()
    return [
        *VANISHING.rows(
            within(NEAR, 0.0, "relative error of the two limits at pi- = 1e-300, largest", largest(*errors)),
            within(NEAR, 0.0, "order of the gradient by pi+ in pi-, less beta, largest", largest(order[0] - beta)),
            within(NEAR, 0.0, "order of that by pi-, less (beta - 1), largest", largest(order[1] - beta + 1)),
            within(NEAR, 0.0, "gradient by pi+ there, largest", largest(found[0].exp())),
            above(log(1e9), "logarithm of that by pi- there, smallest", smallest(found[1])),
        ),
        *PACE.rows(
            *(
                within(0.05, 1.0, f"limit over gradient at pi- = {at:g}, median", middle(ahead(at)))
                for at in (1e-6, 1e-12)
            ),
        ),
        *OTHER_BETA.rows(
            within(
                NEAR,
                0.0,
                "relative error of alpha / pi+ at beta 1, largest",
                largest(relative(at_one, alpha_over_plus)),
            ),
            within(
                NEAR,
                0.0,
                "gradient by pi- at beta 1.5 and pi- = 1e-200, largest",
                largest(logs(partial(dpo, beta=1.5), vanished(pair, log(1e-200)))[1].exp()),
            ),
        ),
    ]


def corollary_3(seeds: Sequence[int]) -> list[Row]:
    draws = Draws("corollary 3", seeds)
    policy = draws.policy()
    near = policy.clone()
    near[..., 1] = log(1e-6)
    near = torch.log_softmax(near, dim=-1)
    slope = torch.full_like(policy[..., 0], BETA)
    # in the second kernel the rejected's features are nearly those of the chosen, twice as large
    features = draws.normal(RESPONSES, FEATURES)
    alike = features.clone()
    alike[..., 1, :] = 2 * features[..., 0, :] + 0.3 * features[..., 1, :]
    free = step_on_logits(slope, policy)
    late = step_on_logits(slope, near)
    mixed, close = (step_on_logits(slope, policy, each @ each.mT) for each in (features, alike))

    def unseen(step: torch.Tensor) -> torch.Tensor:
        """The change of the unseen responses' likelihood, all together."""
        return (policy.exp() * step)[..., 2:].sum(dim=-1)

    return [
        *FALLS.rows(above(0.5, "share of instances in which pi+ falls, pi- = 1e-6", share(late[..., 0] < 0))),
        *DISPERSES.rows(
            above(0.5, "share in which any unseen response rises, pi- = 1e-6", share((late[..., 2:] > 0).any(dim=-1)))
        ),
        *UNSEEN_RULE.rows(
            within(
                EXACT,
                0.0,
                "share in which that is not where pi- > pi+",
                share((free[..., 2:] > 0).any(dim=-1) != (policy[..., 1] > policy[..., 0])),
            ),
            within(
                EXACT,
                0.0,
                "spread of the unseen responses' change of log-likelihood, largest",
                largest(free[..., 2:].amax(dim=-1) - free[..., 2:].amin(dim=-1)),
            ),
        ),
        *SHARED.rows(
            above(0.0, "share in which the chosen falls, shared parameters", share(mixed[..., 0] < 0)),
            above(0.0, "share in which the unseen rise, shared parameters", share(unseen(mixed) > 0)),
            above(0.0, "share in which the unseen rise, free logits", share(unseen(free) > 0)),
            above(0.0, "share in which the chosen falls, most features shared", share(close[..., 0] < 0)),
        ),
    ]


def reward_model(seeds: Sequence[int]) -> list[Row]:
    pair = Draws("reward model", seeds).pair()
    rewards = replace(pair, chosen=implicit_rewards(pair, BETA)[0], rejected=implicit_rewards(pair, BETA)[1])
    # Bradley-Terry's loss of section 2, equation 2, by the rewards
    found = by_log(lambda of: -logsigmoid(of.chosen - of.rejected), rewards)
    given = -1 / (1 + (rewards.chosen - rewards.rejected).exp())
    of_dpo = [each / BETA for each in by_log(partial(dpo, beta=BETA), pair)]  # r = beta log pi + a constant
    return [
        *REWARD_MODEL.rows(within(EXACT, 0.0, "difference, largest", largest(found[0] - given, found[1] + given))),
        *BALANCE.rows(
            above(
                EXACT, "difference of the two losses' gradients, largest", largest(of_dpo[0] - given, of_dpo[1] + given)
            )
        ),
    ]
