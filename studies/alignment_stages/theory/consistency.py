"""Sections 5.2 and 5.3: the general text distribution, preference consistency, and what Algorithm 1 measures."""

from collections.abc import Sequence

import numpy as np
from scipy.special import log_softmax

from scripts.studies.theorems import Row, Statement, above, within
from studies.alignment_stages.theory.tabular import (
    EXACT,
    RESPONSES,
    SIMILAR,
    Array,
    Draws,
    apart,
    largest,
    middle,
    preferences,
)

SHARPER, DISTINCT, BEST = 5.0, 4.0, 0.99
"""An exponent that keeps all orders; nats by which a policy's own half of the responses is likelier; the share of an
off-policy source on the best response."""

RECOVERED = Statement(
    "Theorem 5.4, uniqueness: pi_G is the only policy with its preferences, pi_G(y2) = 1 / sum f(y1, y2)",
    "Holds.",
)
CYCLES = Statement(
    "Theorem 5.4, existence: every P* has a pi_G",
    "Fails for preferences that are not Bradley-Terry's: what (22) gives then sums to {0.median:.2f} and not to 1 "
    '(median of the worst instance). "Well-defined" must mean Bradley-Terry, with values inside (0, 1).',
)
NECESSARY = Statement(
    "Definition 5.5: of identical preference distributions the consistency is 1",
    "Holds: consistency 1 is necessary.",
)
SUFFICIENT = Statement(
    "Definition 5.5, as used: consistency 1 is sufficient for identical text distributions",
    "Fails: pi_G to the power of 5, normalised, has consistency 1 and is {1.median:.2f} away in total variation "
    "(median). The consistency compares orders and nothing else.",
)
RANKS = Statement(
    "Definition 5.5, what it is: without ties, (1 + Kendall's tau) / 2",
    "So it is, to rounding. The paper does not say so.",
    claimed=False,
)
BOUND = Statement(
    "Equations 10 and 11, simplified: the error is at most the probability that the distinct assumption fails",
    "Holds: each is off by at most the probability that its own policy does not order the two responses as assumed.",
)
APART = Statement(
    "Equations 10 and 11, simplified: with largely distinct policies they are Algorithm 1's shares",
    "Holds within 0.05 where the assumption is true of {1.median:.0%} of the comparisons (median): the error is "
    "{0.median:.3f}.",
)
ALIKE = Statement(
    "Equations 10 and 11, simplified: they are Algorithm 1's shares for policies that are not distinct",
    "The paper assumes distinct policies. For two that have nothing to do with each other the error is {0.median:.2f} "
    "(median).",
    claimed=False,
)
CLOSER = Statement(
    "Algorithm 1, as used: it names the better proxy of pi_G, of a policy and of an off-policy source drawn at random",
    "True of {0.median:.0%} of random instances (median): better than a coin.",
)
QUALITY = Statement(
    "Algorithm 1, as used: it names the better proxy of pi_G, whatever the two are",
    "Fails: a policy that equals pi_G is said to be in the injection stage in {1.median:.0%} of the instances if the "
    "off-policy source gives 0.99 to the best response. The algorithm compares the quality of samples, not their "
    "distance from pi_G.",
)


def shares(truth: Array, own: Array, other: Array) -> tuple[Array, Array, Array]:
    """(seeds, instances) each: Algorithm 1's share of own responses preferred, equation 10, and how often the distinct
    assumption fails for own, with the own response by row and the other one by column.
    """
    weights = np.exp(own[..., :, None] + other[..., None, :])
    preferred, likelier = preferences(truth) > 0.5, preferences(own) > 0.5

    def mean(of: Array) -> Array:
        return (weights * of).sum(axis=(-2, -1))

    return mean(preferred), mean(preferred == likelier), mean(~likelier)


def distributions(seeds: Sequence[int]) -> list[Row]:
    """Theorem 5.4 and Definition 5.5."""
    draws = Draws("distributions", seeds)
    truth, other, scores = draws.policy(), draws.policy(), draws.normal(RESPONSES, RESPONSES)
    odds = np.exp(truth[..., :, None] - truth[..., None, :])
    cyclic = np.exp(scores - scores.swapaxes(-1, -2))
    sharper = log_softmax(SHARPER * truth, axis=-1)
    off = ~np.eye(RESPONSES, dtype=bool)

    def consistency(one: Array, two: Array) -> Array:
        return ((preferences(one) > 0.5) == (preferences(two) > 0.5))[..., off].mean(axis=-1)

    signs = [np.sign(each[..., :, None] - each[..., None, :])[..., off] for each in (truth, other)]
    tau = (signs[0] * signs[1]).mean(axis=-1)
    total = (1 / cyclic.sum(axis=-2)).sum(axis=-1)
    worst = np.take_along_axis(total, np.abs(total - 1).argmax(axis=-1)[:, None], axis=-1)[:, 0]
    return [
        *RECOVERED.rows(
            within(EXACT, 0.0, "difference from pi_G, largest", largest(1 / odds.sum(axis=-2) - np.exp(truth)))
        ),
        *CYCLES.rows(within(EXACT, 1.0, "sum of (22) over responses, random preferences, worst instance", worst)),
        *NECESSARY.rows(within(EXACT, 1.0, "consistency of pi_G with itself, least", consistency(truth, truth).min(1))),
        *SUFFICIENT.rows(
            within(EXACT, 0.0, "total variation from pi_G at consistency 1, largest", largest(apart(sharper, truth))),
            within(EXACT, 0.0, "the same, median", middle(apart(sharper, truth))),
            within(EXACT, 1.0, "consistency with pi_G, least", consistency(sharper, truth).min(axis=1)),
        ),
        *RANKS.rows(
            within(EXACT, 0.0, "difference, largest", largest(consistency(truth, other) - (1 + tau) / 2)),
        ),
    ]


def algorithm(seeds: Sequence[int]) -> list[Row]:
    """Equations 10 and 11, and Algorithm 1."""
    draws = Draws("algorithm", seeds)
    truth, policy, off_policy = draws.policy(), draws.policy(), draws.policy()
    half = np.where(np.arange(RESPONSES) % 2, 0.5, -0.5) * DISTINCT
    ours, theirs = log_softmax(policy + half, axis=-1), log_softmax(off_policy - half, axis=-1)
    best = np.full_like(truth, np.log((1 - BEST) / (RESPONSES - 1)))
    np.put_along_axis(best, truth.argmax(axis=-1)[..., None], np.log(BEST), axis=-1)

    excess, errors = [], {}
    for name, own, other in (("alike", policy, off_policy), ("distinct", ours, theirs)):
        sides = [shares(truth, own, other), shares(truth, other, own)]
        gaps = [np.abs(share - exact) for share, exact, _ in sides]
        excess += [np.maximum(gap - fails, 0.0) for gap, (_, _, fails) in zip(gaps, sides, strict=True)]
        errors[name] = middle(gaps[0]), middle(1 - sides[0][2])

    def named_closer(own: Array, other: Array) -> Array:
        """The share of instances in which the algorithm names the one that is closer to pi_G."""
        says_own = shares(truth, own, other)[0] >= 0.5  # V_off holds all the rest, ties included
        return (says_own == (apart(own, truth) < apart(other, truth))).mean(axis=1)

    ideal = named_closer(truth, best)
    return [
        *BOUND.rows(within(EXACT, 0.0, "error beyond the bound, largest", largest(np.stack(excess, axis=1)))),
        *APART.rows(
            within(SIMILAR, 0.0, "error of (10), median", errors["distinct"][0]),
            above(0.5, "share of comparisons in which the assumption holds, median", errors["distinct"][1]),
        ),
        *ALIKE.rows(within(SIMILAR, 0.0, "error of (10), median", errors["alike"][0])),
        *CLOSER.rows(above(0.5, "share of instances in which it does", named_closer(policy, off_policy))),
        *QUALITY.rows(
            within(EXACT, 1.0, "share of instances in which it does, policy equal to pi_G", ideal),
            within(EXACT, 0.0, "share in which it says injection", 1 - ideal),
        ),
    ]
