"""Means, slopes and intervals with two sources of chance: the seeds of runs and the questions of suites.

The model throughout: policy p, trained with seed s, scores on question q

    v[p, s, q] = mean[p] + seed[p, s] + question[p, q] + rest[p, s, q].

Runs are independent draws of the seed term; questions are draws from a larger pool, and every policy answers the same
ones. The target is each policy's mean over further seeds and questions.
"""

from collections.abc import Sequence

import numpy as np

LEVEL = 0.95
"""Coverage of every interval."""
REPLICATES = 4000
_BLOCK = 2_000_000


def standard_error(values: np.ndarray) -> float:
    """Standard error of the mean of values (seeds, questions), over both seeds and questions.

    The variance of the grand mean of S seeds and Q questions is var(seed)/S + var(question)/Q +
    var(rest)/SQ. With mean squares of the two-way table,

        se^2 = [MS_question + max(MS_seed - MS_rest, 0)] / SQ.

    With one seed this is the usual standard error over questions, which cannot include training noise.
    The simple var(seed means)/S ignores that other questions would give another number; adding
    var(question means)/Q to it counts the rest twice. This formula avoids both mistakes.
    """
    seeds, questions = values.shape
    by_question = values.mean(axis=0)
    of_questions = by_question.var(ddof=1) / questions
    if seeds == 1:
        return float(np.sqrt(of_questions))
    between, rest = seed_mean_squares(values[None])
    return float(np.sqrt(of_questions + max(between - rest, 0.0) / (seeds * questions)))


def seed_mean_squares(values: np.ndarray) -> tuple[float, float]:
    """(MS_seed, MS_rest) of values (policies, seeds, questions), pooled over policies."""
    policies, seeds, questions = values.shape
    by_seed = values.mean(axis=2, keepdims=True)
    by_question = values.mean(axis=1, keepdims=True)
    mean = by_seed.mean(axis=1, keepdims=True)
    between = questions * ((by_seed - mean) ** 2).sum() / (policies * (seeds - 1))
    rest = ((values - by_seed - by_question + mean) ** 2).sum() / (policies * (seeds - 1) * (questions - 1))
    return float(between), float(rest)


def slope_weights(levels: Sequence[float]) -> np.ndarray:
    """Weights w such that ``w @ means`` is the least-squares slope of means over levels, in points per level."""
    centred = np.asarray(levels, dtype=float) - np.mean(levels)
    return centred / (centred**2).sum()


def resampled_means(suites: Sequence[np.ndarray], rng: np.random.Generator, replicates: int = REPLICATES) -> np.ndarray:
    """Bootstrap draws of every policy's mean on every suite: shape (replicates, policies, suites).

    suites: one array (policies, seeds, questions) per suite, with the same policies and seeds.

    Questions are resampled with replacement, the same ones for all policies: differences between policies are paired.
    That covers question and rest. Two or three seeds are too few to resample (the spread would come out too small), so
    the seed term is drawn from a normal distribution, with the variance by which runs of one policy differ beyond their
    questions, pooled over the policies. That variance is itself uncertain and is drawn from its chi-squared law, which
    widens intervals as Student's t does. A run that is good on one suite may be good on all: the seed terms keep the
    correlation over suites that the runs show. With one seed the term is unknown and left out; callers then give no
    verdict.
    """
    policies, seeds, _ = suites[0].shape
    means = np.stack([_question_means(values.mean(axis=1), rng, replicates) for values in suites], axis=2)
    if seeds == 1:
        return means
    freedom = policies * (seeds - 1)
    by_seed = np.stack([values.mean(axis=2) for values in suites], axis=2)
    deviations = (by_seed - by_seed.mean(axis=1, keepdims=True)).reshape(policies * seeds, len(suites))
    mixing = rng.standard_normal((replicates, policies, policies * seeds))
    terms = mixing @ deviations / np.sqrt(freedom * seeds)
    widening = freedom / rng.chisquare(freedom, size=replicates)
    for suite, values in enumerate(suites):
        between, rest = seed_mean_squares(values)
        beyond = np.clip(widening - rest / between, 0.0, None) if between > 0 else np.zeros(replicates)
        means[:, :, suite] += terms[:, :, suite] * np.sqrt(beyond)[:, None]
    return means


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


def interval(draws: np.ndarray) -> tuple[float, float]:
    """The central LEVEL interval of bootstrap draws (replicates,)."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
