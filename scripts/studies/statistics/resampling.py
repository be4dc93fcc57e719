"""Draws of every policy's mean on every suite: what other questions, seeds and draws of the data could have given.

Questions are resampled with replacement, the same ones for all policies: differences between policies are paired. That
covers question and rest. Two to five seeds or draws are too few to resample (the spread would come out too small), so
their terms are drawn from normal distributions, with the mean squares by which the units of one policy differ beyond
their questions (components.py), pooled over the study. A mean square is itself uncertain and is drawn from its
chi-squared law, which widens intervals as Student's t does. A run that is good on one suite may be good on all: terms
keep the correlation over suites that the units show. Draws of the data also move all policies over the same prompts
together; that term cancels in contrasts among them, and counts in differences to a policy that was not trained.

For power, the same draws are made with mean squares as estimated: what repetitions of the study would give.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scripts.studies.statistics.components import Spread, members_of, pooled, spreads, sums_of_squares, units_of

REPLICATES = 10_000
_BLOCK = 2_000_000


@dataclass(frozen=True)
class Trained:
    """Who a row of answers is. stratum: what its draws of the data are of (a prompt set); variant: how it was trained.

    A policy as it is, untrained, has None in place of this: no seed and no draw moves it.
    """

    stratum: str
    variant: str


def resampled_means(
    suites: Sequence[np.ndarray],
    policies: Sequence[Trained | None],
    rng: np.random.Generator,
    replicates: int = REPLICATES,
) -> np.ndarray:
    """Draws of every policy's mean on every suite: shape (2 replicates, policies, suites).

    The first half is drawn from what is known of the truth, for intervals; the second as repetitions of the study.

    suites: one array (policies, draws, seeds, questions) per suite, with the same policies, draws and seeds; answers of
    an untrained policy are repeated. With one draw and one seed the terms are unknown and left out; callers then give
    no verdict.
    """
    means = np.stack([_question_means(values.mean(axis=(1, 2)), rng, replicates) for values in suites], axis=2)
    means = np.concatenate([means, means])
    trained = [at for at, policy in enumerate(policies) if policy]
    units = [units_of(values[trained]) for values in suites]
    if units[0].shape[1] == 1 or not trained:
        return means
    kinds = [policy for policy in policies if policy]
    strata = [kind.stratum for kind in kinds] if suites[0].shape[1] > 1 else None
    means[:, trained] += _own_terms(units, kinds, strata, rng, replicates)
    for members in members_of(strata).values() if strata else ():
        alike = [answers[members].mean(axis=0, keepdims=True) for answers in units]
        terms = _terms(alike, [[pooled(*sums_of_squares(answers))] for answers in alike], rng, replicates)
        means[:, np.array(trained)[members]] += terms
    return means


def _own_terms(
    units: Sequence[np.ndarray],
    kinds: Sequence[Trained],
    strata: Sequence[str] | None,
    rng: np.random.Generator,
    replicates: int,
) -> np.ndarray:
    """What moves each policy by itself; over crossed draws, beyond what moves its stratum."""
    variants = [kind.variant for kind in kinds]
    spread = [spreads(*sums_of_squares(answers, strata), variants) for answers in units]
    if strata:
        units = [_apart(answers, strata) for answers in units]
    terms = _terms(units, spread, rng, replicates)
    return np.moveaxis(_apart(np.moveaxis(terms, 1, 0), strata), 0, 1) if strata else terms


def _apart(values: np.ndarray, strata: Sequence[str]) -> np.ndarray:
    """Values (policies, ...) without the mean of their stratum."""
    values = values.copy()
    for members in members_of(strata).values():
        values[members] -= values[members].mean(axis=0)
    return values


def _terms(
    units: Sequence[np.ndarray], spread: Sequence[Sequence[Spread]], rng: np.random.Generator, replicates: int
) -> np.ndarray:
    """Terms (2 replicates, policies, suites) of the means over units. spread: by suite and policy."""
    policies, count = units[0].shape[:2]
    by_unit = np.stack([answers.mean(axis=2) for answers in units], axis=2)
    deviations = (by_unit - by_unit.mean(axis=1, keepdims=True)).reshape(policies * count, len(units))
    lengths = np.sqrt((deviations**2).sum(axis=0))
    _, sizes, directions = np.linalg.svd(deviations / np.where(lengths > 0, lengths, 1.0), full_matrices=False)
    terms = rng.standard_normal((replicates, policies, len(sizes))) @ (sizes[:, None] * directions)
    terms = np.concatenate([terms, terms])
    freedoms = {each.over: each.freedom for of_suite in spread for each in of_suite if each.freedom}
    chi_squared = {over: rng.chisquare(freedom, replicates) for over, freedom in freedoms.items()}
    for suite, (answers, of_suite) in enumerate(zip(units, spread, strict=True)):
        for each in set(of_suite):
            widening = each.freedom / chi_squared[each.over] if each.freedom else np.zeros(replicates)
            widening = np.concatenate([widening, np.ones(replicates)])
            beyond = np.clip(each.units * widening - each.rest, 0.0, None) / (count * answers.shape[2])
            members = [at for at, other in enumerate(of_suite) if other == each]
            terms[:, members, suite] *= np.reshape(np.sqrt(beyond), (-1, 1))
    return terms


def _question_means(answers: np.ndarray, rng: np.random.Generator, replicates: int) -> np.ndarray:
    """Means (replicates, policies) of answers (policies, questions) over resampled questions."""
    policies, questions = answers.shape
    means = np.empty((replicates, policies))
    step = max(1, _BLOCK // questions)
    for start in range(0, replicates, step):
        count = min(step, replicates - start)
        drawn = rng.integers(questions, size=(count, questions)) + np.arange(count)[:, None] * questions
        times = np.bincount(drawn.ravel(), minlength=count * questions).reshape(count, questions)
        means[start : start + count] = times @ answers.T / questions
    return means
