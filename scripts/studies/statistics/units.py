"""Statistics of which every independent unit of a study (a seed that redraws everything) gives one number."""

import numpy as np

from scripts.studies.statistics.estimates import Estimate
from scripts.studies.statistics.resampling import REPLICATES


def over_units(values: np.ndarray, rng: np.random.Generator, replicates: int = REPLICATES) -> list[Estimate]:
    """The means of several statistics, values (statistics, units), with Student's t interval each.

    Draws are jointly normal with the statistics' sample covariance over units; a variance from few units is uncertain
    and is drawn from its chi-squared law, one for all. With one unit the spread is unknown and left out: no verdict.
    """
    count = values.shape[1]
    means = values.mean(axis=1, keepdims=True)
    freedom = max(count - 1, 1)
    terms = (values - means) @ rng.standard_normal((count, replicates)) / np.sqrt(count * freedom)
    widening = np.sqrt(freedom / rng.chisquare(freedom, replicates))
    return [
        Estimate(float(mean), mean + of_one * widening, mean + of_one)
        for mean, of_one in zip(means[:, 0], terms, strict=True)
    ]
