"""What is read of a row: win rates, lengths and rewards per question, and the boundary scores of its runs.

Its command line is that of every step that reads rows.

Arrays are (draws, seeds, questions), in points, characters for lengths; an untrained policy has one draw and one seed.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scripts.lib import cli
from scripts.lib.errors import InputError
from scripts.lib.results import read_evaluation
from scripts.lib.schemas import JUDGEMENTS
from scripts.lib.tables import read_table
from scripts.studies.files import read_repeats
from scripts.studies.statistics.components import standard_error, units_of
from studies.alignment_stages.config import Config
from studies.alignment_stages.layout import Row

Measured = tuple[float, float]
"""A value and its standard error."""


@dataclass(frozen=True)
class Answers:
    """The results under ``evaluations`` of the rows of a study."""

    spec: Config
    evaluations: Path

    def controlled(self, row: Row) -> np.ndarray:
        """The length-controlled win rate."""
        return self._of(row, self.spec.win_rate)

    def rewards(self, row: Row) -> np.ndarray:
        return self._of(row, self.spec.true_reward)

    def plain(self, row: Row) -> np.ndarray:
        """The win rate: that of length control has the same values per question, moved to another mean."""
        values = self.controlled(row)
        moves = []
        for run in row.runs:
            record = read_evaluation(self._path(run, self.spec.win_rate))
            moves.append(record.metrics["win_rate"] - record.value)
        return values + np.reshape(moves, (*values.shape[:2], 1))

    def lengths(self, row: Row) -> np.ndarray:
        """Characters of the responses."""
        shape = self.controlled(row).shape
        found = []
        for run in row.runs:
            path = self.evaluations / run / f"{self.spec.win_rate}.judgements.parquet"
            lengths = read_table(path, JUDGEMENTS).sort_values("prompt_id")["length"]
            if len(lengths) != shape[2]:
                raise InputError(path, f"{len(lengths)} rows, not {shape[2]}", "delete it and run snakemake again")
            found.append(lengths)
        return np.array(found, dtype=float).reshape(shape)

    def score(self, row: Row) -> Measured:
        """The mean boundary score (0 to 1) of a row's runs."""
        records = [read_evaluation(self._path(run, self.spec.boundary)) for run in row.runs]
        value, error = of_shares([each.value for each in records], [each.standard_error for each in records])
        return value / 100, error / 100

    def _of(self, row: Row, suite: str) -> np.ndarray:
        return read_repeats(self.evaluations, row.runs, suite, self.spec.draws)

    def _path(self, run: str, suite: str) -> Path:
        return self.evaluations / run / f"{suite}.json"


def of_shares(values: list[float], errors: list[float]) -> Measured:
    """The mean over a row's runs of a share of prompts, and its standard error.

    errors: each run's own, over its prompts. Runs may leave out different prompts, so that these cannot be paired:
    their variance is taken in full, as if all runs erred together, and that between runs, over their number, is added.
    The error is too large rather than too small.
    """
    between = float(np.var(values, ddof=1)) / len(values) if len(values) > 1 else 0.0
    return float(np.mean(values)), float(np.sqrt(np.mean(np.square(errors)) + between))


def mean_of(values: np.ndarray) -> Measured:
    """The mean and its standard error, over questions and draws or seeds."""
    return float(values.mean()), standard_error(units_of(values))


def parser_of(step: str, documentation: str | None) -> argparse.ArgumentParser:
    """The command line of a step that reads rows."""
    parser = cli.parser_of(step, documentation)
    parser.add_argument("--spec", type=cli.spec_of(Config), required=True, help="JSON of the study")
    parser.add_argument("--evaluations", type=Path, required=True, help="folder of <policy>/<suite>.json")
    parser.add_argument("--published", type=Path, required=True, help="folder of the paper's tables")
    parser.add_argument("--out", type=Path, required=True)
    return parser
