"""What each row's statistics could have been: draws of its means over questions or steps, seeds and draws of the data.

Steps of a run stand for questions: a step's pairs are a sample of all pairs, and neighbouring steps have others.
"""

from collections.abc import Mapping

import numpy as np

from scripts.lib.ids import seed_of
from scripts.studies.statistics.estimates import Estimate
from scripts.studies.statistics.resampling import Trained, resampled_means
from studies.three_d.layout import Row

STUDY = "three_d"


class Drawn:
    """Means of some rows, (1 + 2 replicates,) each: as measured, as drawn, as repeated (statistics/resampling.py)."""

    def __init__(self, quantity: str, values: Mapping[Row, np.ndarray]) -> None:
        """values: row -> (draws, seeds, questions or steps); quantity: its name, which seeds the draws."""
        shortest = min(each.shape[2] for each in values.values())  # a run whose pairs were cut may have fewer steps
        stacked = np.stack([each[..., -shortest:] for each in values.values()])
        kinds = [Trained(STUDY, row.variant) for row in values]
        drawn = resampled_means([stacked], kinds, np.random.default_rng(seed_of(STUDY, quantity)))[..., 0]
        means = np.concatenate([stacked.mean(axis=(1, 2, 3))[None], drawn])
        self.means = {row.runs: means[:, at] for at, row in enumerate(values)}

    def of(self, row: Row) -> np.ndarray:
        return self.means[row.runs]

    def estimate(self, row: Row) -> Estimate:
        """The row's own mean."""
        return Estimate.of(self.of(row))

    def difference(self, row: Row, other: Row) -> Estimate:
        """The first minus the second."""
        return Estimate.of(self.of(row) - self.of(other))
