"""Components of variance: how far runs differ beyond their questions, pooled over the policies of a study.

A policy's units are what repeats it: its draws of the data, seeds averaged, where a study has several; else its seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

EQUAL_SPREAD = 0.25
"""Variants are pooled unless the p-value of Bartlett's test of equal mean squares is below this.

For tests that decide on pooling, 0.25 is usual (Bancroft, Biometrics 20, 1964): few runs hide large differences from
one at 0.05.
"""


@dataclass(frozen=True)
class Spread:
    """Mean squares of units and of the rest, both of single answers, and the degrees of freedom of that of units.

    over: the variant whose policies were pooled; blank if all were.
    """

    units: float
    rest: float
    freedom: float
    over: str = ""


def units_of(values: np.ndarray) -> np.ndarray:
    """(..., draws, seeds, questions) -> (..., units, questions)."""
    draws, seeds = values.shape[-3:-1]
    return values.mean(axis=-2) if draws > 1 else values.reshape(*values.shape[:-3], seeds, values.shape[-1])


def standard_error(units: np.ndarray) -> float:
    """Standard error of one policy's mean, from its answers (units, questions), over both.

    The variance of the grand mean of U units and Q questions is var(unit)/U + var(question)/Q + var(rest)/UQ. With mean
    squares of the two-way table,

        se^2 = [MS_question + max(MS_unit - MS_rest, 0)] / UQ.

    With one unit this is the usual standard error over questions, which cannot include training noise. The simple
    var(unit means)/U ignores that other questions would give another number; adding var(question means)/Q to it counts
    the rest twice. It is this policy's own: few units, and no t factor in it.
    """
    count, questions = units.shape
    of_questions = units.mean(axis=0).var(ddof=1) / questions
    if count == 1:
        return float(np.sqrt(of_questions))
    spread = pooled(*sums_of_squares(units[None]))
    return float(np.sqrt(of_questions + max(spread.units - spread.rest, 0.0) / (count * questions)))


def sums_of_squares(units: np.ndarray, strata: Sequence[str] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(sums, degrees of freedom) by policy, (policies, 2) and (policies,), of answers (policies, units, questions).

    sums: of squares of units and of the rest. strata: where units are draws, what each policy's draws are of; what the
    policies of a stratum have in common on a draw is then left out, so that P policies with D draws have (P - 1)(D - 1)
    degrees of freedom; None: units are independent, with P (U - 1).
    """
    policies, count, questions = units.shape
    by_unit = units - units.mean(axis=1, keepdims=True)
    freedom = np.full(policies, count - 1.0)
    if strata is not None:
        for members in members_of(strata).values():
            by_unit[members] -= by_unit[members].mean(axis=0)
            freedom[members] *= 1 - 1 / len(members)
    between = by_unit.mean(axis=2, keepdims=True)
    rest = by_unit - between
    sums = np.stack([questions * (between**2).sum(axis=(1, 2)), (rest**2).sum(axis=(1, 2)) / (questions - 1)], axis=1)
    return sums, freedom


def pooled(sums: np.ndarray, freedom: np.ndarray, over: str = "") -> Spread:
    """The mean squares of some policies together."""
    total = float(freedom.sum())
    of_units, rest = sums.sum(axis=0) / total if total else (0.0, 0.0)
    return Spread(float(of_units), float(rest), total, over)


def spreads(sums: np.ndarray, freedom: np.ndarray, variants: Sequence[str]) -> list[Spread]:
    """The spread of each policy: pooled over all, or over its variant where variants are seen to differ."""
    by_variant = {name: pooled(sums[at], freedom[at], name) for name, at in members_of(variants).items()}
    if bartlett([each for each in by_variant.values() if each.freedom]) < EQUAL_SPREAD:
        return [by_variant[name] for name in variants]
    return [pooled(sums, freedom)] * len(variants)


def bartlett(groups: Sequence[Spread]) -> float:
    """The p-value of Bartlett's test that groups have one mean square of units (Proc. R. Soc. A 160, 1937)."""
    freedom = np.array([each.freedom for each in groups])
    squares = np.array([each.units for each in groups])
    if len(groups) < 2 or not squares.any():
        return 1.0
    if not squares.all():
        return 0.0
    total = freedom.sum()
    distance = total * np.log(freedom @ squares / total) - freedom @ np.log(squares)
    correction = 1 + ((1 / freedom).sum() - 1 / total) / (3 * (len(groups) - 1))
    return float(chi2.sf(distance / correction, len(groups) - 1))


def members_of(labels: Sequence[str]) -> dict[str, np.ndarray]:
    """Label -> the places that have it, in the order of first appearance."""
    return {label: np.flatnonzero([each == label for each in labels]) for label in dict.fromkeys(labels)}
