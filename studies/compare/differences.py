"""The difference between two policies' means on one suite, over seeds and questions. Pure; everything in points.

The model: policy p, trained with seed s, scores on question q

    v[p, s, q] = mean[p] + seed[p, s] + question[p, q] + rest[p, s, q].

Both policies answer the same questions, so these are paired; their seeds are independent draws. The variance of the
difference of means over S seeds and Q questions is therefore that of the paired differences (which holds question and
rest) over Q, and var(seed) / S of each policy that was trained. Few runs tell little of var(seed): its mean square is
pooled over all policies trained in the study, and what it leaves possible is drawn with its chi-squared law, so that
the difference follows a mixture of Student's t (the Behrens-Fisher solution; with a component of variance, Tsui and
Weerahandi's generalised p-value, JASA 84, 1989). Satterthwaite's degrees of freedom in its place are right for many
runs alone: of simulated studies of one dataset with two seeds that matter, 12 % showed a difference that was none.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2, t

from scripts.studies.statistics.components import pooled, sums_of_squares
from scripts.studies.statistics.estimates import LEVEL
from scripts.studies.statistics.power import POWER

NODES = 200


@dataclass(frozen=True)
class Difference:
    """What the data say of a difference.

    value: the estimate. errors: the standard errors that are possible, (nodes,); weights: their probabilities;
    freedom: of the t distribution given one of them.
    """

    value: float
    errors: np.ndarray
    weights: np.ndarray
    freedom: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs, between policies, questions or seeds: there is nothing to tell from."""
        return self.value == 0 and not self.errors.any()

    @property
    def p(self) -> float:
        """Of a difference this far from zero either way, were there none."""
        return 1.0 if self.is_empty else 2 * self._beyond(abs(self.value))

    def interval(self) -> tuple[float, float]:
        reach = self._reach((1 - LEVEL) / 2)
        return self.value - reach, self.value + reach

    def smallest(self, comparisons: int) -> float:
        """The smallest true difference that is found with probability POWER, corrected for so many comparisons.

        (t[1 - a / 2] + t[POWER]) standard errors, where a is (1 - LEVEL) / comparisons: Holm's first step.
        """
        return self._reach((1 - LEVEL) / comparisons / 2) + self._reach(1 - POWER)

    def _beyond(self, reach: float) -> float:
        """The probability of an error above ``reach``."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(self.weights @ np.nan_to_num(t.sf(reach / self.errors, self.freedom)))

    def _reach(self, tail: float) -> float:
        """The error that is exceeded with probability ``tail``, below one half."""
        if self._beyond(0.0) <= tail:
            return 0.0
        farthest = float(self.errors.max() * t.isf(tail, self.freedom))
        return float(brentq(lambda reach: self._beyond(reach) - tail, 0.0, farthest))


def differences(candidates: np.ndarray, baseline: np.ndarray, *, is_trained: bool) -> list[Difference]:
    """Each candidate minus the baseline: candidates (policies, seeds, questions), baseline (seeds, questions).

    is_trained: whether the baseline has seeds; a policy as it is has none, and one row. With one seed the seed term
    cannot be seen and is left out.
    """
    _, seeds, questions = candidates.shape
    paired = candidates.mean(axis=1) - baseline.mean(axis=0)
    of_questions = paired.var(axis=1, ddof=1) / questions
    of_a_run, weights = _seed_variances(np.concatenate([candidates, baseline[None]]) if is_trained else candidates)
    of_seeds = of_a_run * (2 if is_trained else 1) / seeds
    return [
        Difference(float(value), np.sqrt(variance + of_seeds), weights, questions - 1)
        for value, variance in zip(paired.mean(axis=1), of_questions, strict=True)
    ]


def _seed_variances(runs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The variances of the seed term that runs (policies, seeds, questions) leave possible, and their probabilities.

    Quantiles of (mean square of seeds) x freedom / chi-squared - (mean square of rest), both per question, cut at
    zero; closer together where chi-squared is small, which the far tails hang on.
    """
    _, seeds, questions = runs.shape
    if seeds == 1:
        return np.zeros(1), np.ones(1)
    spread = pooled(*sums_of_squares(runs))
    between, rest, freedom = spread.units / questions, spread.rest / questions, spread.freedom
    at = (np.arange(NODES) + 0.5) / NODES
    return np.clip(between * freedom / chi2.ppf(at**2, freedom) - rest, 0.0, None), 2 * at / NODES
