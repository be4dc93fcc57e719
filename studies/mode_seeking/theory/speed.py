"""Theorem 6.5 and the claim behind it: which divergence moves mass between bins faster.

The theorem compares two bins, 1 and 2, after one gradient step from p towards q, the same step size for both
divergences: D is the change of log p(1) less that of log p(2). It has three parts, with unnamed constants; only the
paper's abstract was at hand, and the parts are stated as they are generally cited. A step in logits gives, per unit,

    D_f = (q1 - p1) - (q2 - p2)
    D_r = p1 (log(q1 / p1) + KL) - p2 (log(q2 / p2) + KL),   KL = KL(p || q)

from which the exact conditions below follow.
"""

from collections.abc import Sequence

import numpy as np

from scripts.studies.theorems import Row, Statement, above, within
from studies.mode_seeking.theory.flow import OBJECTIVES, Array, flow, forward, half_time, kl, natural, reverse
from studies.mode_seeking.theory.instances import EXACT, Draws, share

FULL = 0.9
"""The mass that a start has on the bin that its target has least of, where mass must leave; or that a target has on
the bin that its start has least of, where mass must enter."""
C1 = 0.5
"""A constant below 1 for the theorem's third part."""
TIMES = np.arange(0.0, 40.01, 0.05)

EQUAL = Statement(
    "Theorem 6.5, part 1, without its constants: if p1 = p2 and q1 > q2, then D_r > D_f",
    "Needs them: of random instances it holds in {0.median:.0%} (median).",
    claimed=False,
)
EQUAL_EXACT = Statement(
    "Theorem 6.5, part 1, what it needs: D_r > D_f if and only if p1 exceeds the logarithmic mean of q1 and q2",
    "Holds: (q1 - q2) / log(q1 / q2) < p1. The two bins must be over-represented, which a lower bound on p1 alone does "
    "not say: where the policy has too little mass, maximum likelihood separates them faster.",
)
BELOW = Statement(
    "Theorem 6.5, part 2: if p1 > p2 and q1 = q2 > c0 p1, then D_r > D_f",
    "Holds for any c0 > 1.",
)
ABOVE = Statement(
    "Theorem 6.5, part 3, with c1 = 0.5: if p1 > p2 and q1 = q2 < c1 p1, then D_r < D_f",
    "Not with this constant, which is ours: of random instances it holds in {0.median:.0%} (median).",
    claimed=False,
)
ABOVE_EXACT = Statement(
    "Theorem 6.5, parts 2 and 3, what they need: D_r > D_f if and only if q1 = q2 exceeds I(p1, p2) exp(-KL)",
    "Holds, I the identric mean, between p1 / e and p1. So c1 is of the order of exp(-KL(p || q)), near 0 where p is "
    "concentrated on bin 1: one constant for all p1 < 1 - d is about exp(-1 / d) / d.",
)
STARTS = {
    "random": Statement(
        "Section 6, as read: mode-seeking moves mass faster than maximum likelihood, from random starts",
        "Reverse KL halves the total variation from the target first in {0.median:.0%} of instances (median over "
        "seeds). At an equal learning rate; every rate of reverse KL has the bin's own mass as a factor.",
    ),
    "leaves": Statement(
        "Section 6, as read: the same, where mass must leave one bin",
        "With 0.9 of the mass on the bin that the target has least of, it is first in {0.median:.0%} (median).",
    ),
    "enters": Statement(
        "Section 6, as read: the same, where mass must enter one bin",
        "With 0.9 of the target on the bin that the start has least of, it is first in {0.median:.0%} (median). A bin "
        "with little mass is entered slowly.",
    ),
}
NATURAL = Statement(
    "Section 6, beside it: the same from random starts, by the natural gradient, which does not depend on parameters",
    "Reverse KL is first in {0.median:.0%} of instances (median). Maximum likelihood takes log 2, whatever the target.",
    claimed=False,
)
LENGTH = Statement(
    "Theorem 6.5, part 1, at equal length: with steps of one length in logits",
    "D_r > D_f in {0.median:.0%} of instances (median): part of what is compared is the length of the gradients.",
    claimed=False,
)


def two_bins(seeds: Sequence[int]) -> list[Row]:
    """Theorem 6.5."""
    draws = Draws("two bins", seeds)
    p, q = draws.distribution(), draws.distribution()
    first, second = np.minimum(q[..., :1], q[..., 1:2]), np.maximum(q[..., :1], q[..., 1:2])
    unequal = np.concatenate([second, first, q[..., 2:]], axis=-1)
    middle = p[..., :2].mean(axis=-1, keepdims=True)
    level = np.concatenate([middle, middle, p[..., 2:]], axis=-1)
    d_f, d_r = separated(forward(level, unequal)), separated(reverse(level, unequal))
    q1, q2 = unequal[..., 0], unequal[..., 1]
    needs = level[..., 0] > (q1 - q2) / np.log(q1 / q2)
    length = [np.linalg.norm(of(level, unequal), axis=-1) for of in (forward, reverse)]

    order = np.sort(p[..., :2], axis=-1)[..., ::-1]
    falling = np.concatenate([order, p[..., 2:]], axis=-1)
    rows = {}
    for name, low, high in (("below", 1.0, 4.0), ("above", 0.001, C1), ("all", 0.001, 4.0)):
        same = falling[..., :1] * draws.uniform(low, high, 1)
        same = np.minimum(same, 0.49)  # both bins together stay below 1
        fits = (same >= low * falling[..., :1])[..., 0]
        rest = q[..., 2:] / q[..., 2:].sum(axis=-1, keepdims=True) * (1 - 2 * same)
        target = np.concatenate([same, same, rest], axis=-1)
        gains = separated(reverse(falling, target)) > separated(forward(falling, target))
        bound = identric(falling[..., 0], falling[..., 1]) * np.exp(-kl(falling, target)[..., 0])
        rows[name] = gains | ~fits, ~gains, gains == (same[..., 0] > bound)
    return [
        *EQUAL.rows(within(EXACT, 1.0, "share of instances in which it does", share(d_r > d_f))),
        *EQUAL_EXACT.rows(within(EXACT, 1.0, "share of instances that agree", share((d_r > d_f) == needs))),
        *LENGTH.rows(above(0.5, "share of instances in which it does", share(d_r / length[1] > d_f / length[0]))),
        *BELOW.rows(within(EXACT, 1.0, "share of instances in which it does", share(rows["below"][0]))),
        *ABOVE.rows(within(EXACT, 1.0, "share of instances in which it does", share(rows["above"][1]))),
        *ABOVE_EXACT.rows(within(EXACT, 1.0, "share of instances that agree", share(rows["all"][2]))),
    ]


def mass(seeds: Sequence[int]) -> list[Row]:
    """The claim behind the theorem, by gradient flow in logits."""
    draws = Draws("mass", seeds)
    start, target = draws.distribution(), draws.distribution()
    cases = {
        "random": (start, target),
        "leaves": (concentrated(start, target.argmin(axis=-1)), target),
        "enters": (start, concentrated(target, start.argmin(axis=-1))),
    }
    rows = []
    for name, (p, q) in cases.items():
        times = {objective: half_time(TIMES, flow(objective, p, q, TIMES), q) for objective in OBJECTIVES}
        rows += STARTS[name].rows(
            above(0.5, "share of instances in which it is first", share(times["reverse KL"] < times["forward KL"]))
        )
    times = {each: half_time(TIMES, natural(each, start, target, TIMES), target) for each in OBJECTIVES}
    first = times["reverse KL"] < times["forward KL"]
    return [*rows, *NATURAL.rows(above(0.5, "share of instances in which it is first", share(first)))]


def separated(rates: Array) -> Array:
    """The rate of log p(1) less that of log p(2): their normaliser cancels."""
    return rates[..., 0] - rates[..., 1]


def identric(one: Array, other: Array) -> Array:
    """The identric mean of two unequal positive numbers."""
    return np.exp((one * np.log(one) - other * np.log(other)) / (one - other) - 1)


def concentrated(p: Array, where: Array) -> Array:
    """p with the mass FULL on one bin of each instance, the rest in proportion. where: (seeds, instances)."""
    hit = np.arange(p.shape[-1]) == where[..., None]
    rest = np.where(hit, 0.0, p)
    return np.where(hit, FULL, (1 - FULL) * rest / rest.sum(axis=-1, keepdims=True))
