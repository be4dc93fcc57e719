"""What is read of a row: answers with so many points, and log-probs along training, run by run.

Arrays of answers are (draws, seeds, questions), in percent; of training (draws, seeds, steps).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.lib.errors import InputError
from scripts.lib.schemas import TRAINING
from scripts.lib.tables import read_table
from scripts.studies.files import read_repeats
from scripts.studies.statistics.components import standard_error, units_of
from studies.three_d.config import Experiments, TestSet
from studies.three_d.layout import Row

POINTS = ("five_points", "four_or_five")
"""What is measured on a test set, in the tables' words."""
END = 5
"""The last part of a run is one in END of its steps, at least two."""
LAST = 2
"""Watches at the end of a run."""
Measured = tuple[float, float]
"""A value and its standard error."""


@dataclass(frozen=True)
class Answers:
    """The evaluations of a study's rows."""

    spec: Experiments
    folder: Path

    def of(self, row: Row, test_set: TestSet, points: str) -> np.ndarray:
        suite = test_set.full_marks if points == "five_points" else test_set.right
        return read_repeats(self.folder, row.runs, suite, self.spec.draws)

    def everywhere(self, row: Row, points: str) -> np.ndarray:
        """Of all test sets together, each question once."""
        return np.concatenate([self.of(row, each, points) for each in self.spec.test_sets], axis=2)


@dataclass(frozen=True)
class Steps:
    """The training tables of a study's rows."""

    spec: Experiments
    folder: Path

    def of(self, row: Row, column: str) -> np.ndarray:
        """(draws, seeds, steps) of a column; the steps that all runs have. NaN where a run has none."""
        columns = [_table(self.folder, run)[column].to_numpy(float) for run in row.runs]
        steps = min(map(len, columns))
        return np.array([each[:steps] for each in columns]).reshape(self.spec.draws, -1, steps)

    def at_end(self, row: Row, column: str) -> np.ndarray:
        """The same, in the last part of a run."""
        values = self.of(row, column)
        return values[..., -max(2, values.shape[2] // END) :]

    def start(self, row: Row, side: str) -> np.ndarray:
        """(draws, seeds, 1) of a side's mean log-prob per token under the start, over all pairs of the first epoch."""
        found = []
        for run in row.runs:
            table = _table(self.folder, run)
            of_start = table[f"{side}_token_logp"] - table[f"{side}_change"]
            found.append(np.average(of_start, weights=table["pairs"]))
        return np.reshape(found, (self.spec.draws, -1, 1))

    def watched(self, row: Row) -> np.ndarray:
        """(draws, seeds, LAST) of the watched responses' change since the first step, at a run's last watches.

        (draws, seeds, 0) if a run has fewer.
        """
        found = [_table(self.folder, run)["watched_token_logp"].dropna().to_numpy(float) for run in row.runs]
        last = LAST if all(len(each) > LAST for each in found) else 0
        changes = [(each - each[:1])[len(each) - last :] for each in found]
        return np.reshape(changes, (self.spec.draws, -1, last)) if last else np.empty((self.spec.draws, 1, 0))


@cache
def _table(folder: Path, run: str) -> pd.DataFrame:
    path = folder / f"{run}.parquet"
    table = read_table(path, TRAINING)
    if len(table) < 2 * END:
        raise InputError(path, f"{len(table)} steps are too few to compare ends", "train on more pairs or longer")
    return table


def mean_of(values: np.ndarray) -> Measured:
    """Of (draws, seeds, questions or steps): the mean, and its standard error over these and over draws or seeds."""
    return float(values.mean()), standard_error(units_of(values))


def columns_of(names: Sequence[str]) -> list[str]:
    """Of measured numbers with published ones beside."""
    return [f"{name}{twin}" for name in names for twin in ("", "_se", "_published")]
