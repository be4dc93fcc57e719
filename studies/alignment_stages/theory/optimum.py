"""Section 5.1: Theorem 5.1, which policy is optimal for which reward, and Theorem 5.2, how much data that takes.

Slips of the paper that change nothing: the logarithm lost in (14), and pi_init for pi_ref in equation 4.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit, log_softmax, logsumexp

from scripts.studies.theorems import Row, Statement, above, within
from studies.alignment_stages.theory.tabular import (
    BETA,
    EXACT,
    ORDER,
    RESPONSES,
    Array,
    Draws,
    apart,
    kl,
    largest,
    middle,
    preferences,
)

LABELS = (1_000, 10_000, 100_000)
"""Labels per pair of responses."""
FAR = 1e6
"""A reward, in units of beta, that stands for infinity."""

EXISTS = Statement(
    "Theorem 5.1, existence: for every policy there is a reward for which it is optimal under (3)",
    "Holds for policies with full support: with r = beta log(pi / pi_ref) every other policy is worse by beta times "
    "its KL divergence from pi.",
)
UNIQUE = Statement(
    "Theorem 5.1, as stated: this reward is unique",
    "Fails: r + c, for any number c per prompt, has the same optimal policy. The two rewards compared differ by up to "
    "{0.median:.1f} (median over seeds), their policies by {1.largest:.0e}. The proof shows that f is monotone in one "
    "coordinate, which does not make the solution in all of them unique.",
)
GAUGE = Statement(
    "Theorem 5.1, with a gauge: the reward is unique once Z(x) is fixed, such as at 1",
    "Holds: what stands of the theorem. DPO needs no more, since the constant cancels in every pair.",
)
SLOPE = Statement(
    "Theorem 5.1, proof: the derivative of f by r(y0) is 1 - pi_r(y0) (equation 15)",
    "Holds, compared with differences of f.",
)
RANGE = Statement(
    "Theorem 5.1, proof: the range of f is all real numbers",
    "Fails, without harm: f stays below -beta log pi(y0), which is above zero, so that it still crosses zero.",
)
INFINITE = Statement(
    "Theorem 5.2, as stated: the optimal solution of (3) needs infinite preference data",
    "Fails on finitely many responses: a spanning tree of comparisons with exact soft labels, 5 of 15 pairs, gives the "
    "optimum to {0.largest:.0e} in total variation.",
)
UNCOVERED = Statement(
    "Theorem 5.2, proof: what no comparison reaches is not determined",
    "Holds: with one comparison of the tree less, the solution of least norm is {0.median:.2f} away from the optimum "
    "in total variation (median). What it takes is that comparisons connect all responses, not that there are "
    "infinitely many.",
)
LIMIT = Statement(
    "Theorem 5.2, its use: with more labels the solution comes nearer to the optimum",
    "Holds: with sampled labels on all pairs the distance shrinks with the root of their number, from {1.median:.3f} "
    "at 1,000 labels a pair to {2.median:.4f} at 100,000 (median).",
)
REVERSED = Statement(
    "Theorem 5.2, proof: (6) minimises the divergence of P_theta from P* (equation 16)",
    "Fails as written: the expected loss, less a constant, is KL(P* || P_theta), the other way round. The minimiser is "
    "the same where P_theta can equal P*.",
)


def rewards(seeds: Sequence[int]) -> list[Row]:
    """Theorem 5.1."""
    draws = Draws("rewards", seeds)
    policy, reference, other = (draws.policy() for _ in range(3))
    reward = BETA * (policy - reference)

    def objective(candidate: Array) -> Array:
        return (np.exp(candidate) * reward).sum(axis=-1) - BETA * kl(candidate, reference)

    lost = objective(policy) - objective(other)
    shifted = reward + draws.normal(1)
    normaliser = logsumexp(reference + shifted / BETA, axis=-1, keepdims=True)

    def optimum(of: Array) -> Array:
        return log_softmax(reference + of / BETA, axis=-1)

    def f(first: Array) -> Array:
        """Equation 13 for the first response, its reward given."""
        changed = np.concatenate([first[..., None], shifted[..., 1:]], axis=-1)
        return first - reward[..., 0] - BETA * logsumexp(reference + changed / BETA, axis=-1)

    step, at = 1e-4 * BETA, shifted[..., 0]
    slope = (f(at + step) - f(at - step)) / (2 * step)
    return [
        *EXISTS.rows(
            within(
                EXACT, 0.0, "loss of another policy, less beta KL, largest", largest(lost - BETA * kl(other, policy))
            )
        ),
        *UNIQUE.rows(
            within(EXACT, 0.0, "difference of two rewards with this optimum, largest", largest(shifted - reward)),
            within(EXACT, 0.0, "total variation of their optima, largest", largest(apart(optimum(shifted), policy))),
        ),
        *GAUGE.rows(
            within(
                EXACT,
                0.0,
                "difference of the two rewards with Z = 1, largest",
                largest(shifted - BETA * normaliser - reward),
            )
        ),
        *SLOPE.rows(within(1e-6, 0.0, "difference, largest", largest(slope - (1 - np.exp(optimum(shifted)[..., 0]))))),
        *RANGE.rows(
            above(
                EXACT,
                "f at a reward of a million beta, less its bound -beta log pi(y0), largest",
                [float(each.max()) for each in f(np.full_like(at, FAR * BETA)) + BETA * policy[..., 0]],
            )
        ),
    ]


def data(seeds: Sequence[int]) -> list[Row]:
    """Theorem 5.2: the policy that minimises (6) on some comparisons, and the optimum of (3)."""
    draws = Draws("data", seeds)
    reference, reward = draws.policy(), draws.normal(RESPONSES) * BETA
    best = log_softmax(reference + reward / BETA, axis=-1)
    tree = [(0, at) for at in range(1, RESPONSES)]

    def fitted(edges: list[tuple[int, int]]) -> Array:
        """With exact labels: rewards of least norm whose differences are the labels' log-odds."""
        design = np.array([[(at == i) - (at == j) for at in range(RESPONSES)] for i, j in edges], dtype=float)
        odds = np.stack([reward[..., i] - reward[..., j] for i, j in edges], axis=-1)
        return log_softmax(reference + odds @ np.linalg.pinv(design).T / BETA, axis=-1)

    pairs = [(i, j) for i in range(RESPONSES) for j in range(i)]
    chances = np.stack([expit(reward[..., i] - reward[..., j]) for i, j in pairs], axis=-1)
    errors = [
        middle(apart(log_softmax(reference + likeliest(pairs, draws.votes(n, chances) / n) / BETA, axis=-1), best))
        for n in LABELS
    ]
    order = np.polyfit(np.log(LABELS), np.log(np.stack(errors)), 1)[0]
    policy = preferences(draws.normal(RESPONSES))
    truth = preferences(reward / BETA)
    loss = -(truth * np.log(policy) + truth.swapaxes(-1, -2) * np.log(policy.swapaxes(-1, -2)))
    entropy = -(truth * np.log(truth) + truth.swapaxes(-1, -2) * np.log(truth.swapaxes(-1, -2)))
    reverse = policy * np.log(policy / truth)
    reverse = reverse + reverse.swapaxes(-1, -2)
    return [
        *INFINITE.rows(above(EXACT, "total variation, 5 comparisons, largest", largest(apart(fitted(tree), best)))),
        *UNCOVERED.rows(above(0.01, "total variation, 4 comparisons, median", middle(apart(fitted(tree[1:]), best)))),
        *LIMIT.rows(
            within(ORDER, -0.5, "order of the median total variation in the number of labels", order),
            above(0.0, "total variation at 1,000 labels a pair, median", errors[0]),
            above(0.0, "total variation at 100,000 labels a pair, median", errors[-1]),
        ),
        *REVERSED.rows(
            within(
                EXACT,
                0.0,
                "loss less its least value, less KL(P_theta || P*), largest",
                largest(loss - entropy - reverse),
            )
        ),
    ]


def likeliest(pairs: list[tuple[int, int]], shares: Array) -> Array:
    """The likeliest Bradley-Terry rewards (seeds, instances, n) for shares of votes on all pairs: Newton's method."""
    design = np.array([[(at == i) - (at == j) for at in range(RESPONSES)] for i, j in pairs], dtype=float)
    found = np.zeros((*shares.shape[:-1], RESPONSES))
    gauge = np.ones((RESPONSES, RESPONSES))  # the constant that no vote determines
    for _ in range(30):
        won = expit(found @ design.T)
        slope = (shares - won) @ design
        curvature = np.einsum("pi,...p,pj->...ij", design, won * (1 - won), design) + gauge
        found = found + np.linalg.solve(curvature, slope[..., None])[..., 0]
    return found
