"""Inputs of the claims: every policy's mean on every suite, as measured and as it could have been, and the paper's."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scripts.lib.config.pairs import PairsSpec
from scripts.lib.ids import seed_of
from scripts.lib.lineage import Run, is_run
from scripts.studies.files import read_repeats, read_runs
from scripts.studies.statistics.resampling import Trained, resampled_means
from studies.what_matters import layout
from studies.what_matters.config import Config
from studies.what_matters.layout import STUDY, Row


@dataclass(frozen=True)
class Inputs:
    """What claims are judged from: pairs by name, and the folders of evaluations and of published numbers."""

    pairs: dict[str, PairsSpec]
    evaluations: Path
    published: Path


@dataclass(frozen=True)
class Means:
    """Means of all policies of the study, in points.

    values: (1 + 2 replicates, policies, suites), as measured, as drawn, as repeated (statistics/resampling.py).
    places: runs of a row -> its policy's place.
    n_seeds: of every draw of the data.
    """

    values: np.ndarray
    places: dict[tuple[str, ...], int]
    n_seeds: int
    n_draws: int

    @property
    def repeats(self) -> int:
        """How many units show by how much runs differ: draws where there are several, else seeds."""
        return self.n_draws if self.n_draws > 1 else self.n_seeds

    def of(self, rows: Sequence[Row]) -> np.ndarray:
        """(1 + 2 replicates, rows, suites)."""
        return self.values[:, [self.places[row.runs] for row in rows]]


def read_means(spec: Config, inputs: Inputs) -> Means:
    """From the evaluations of all tables' rows: all policies of the study tell how far runs differ by chance."""
    rows = [row for table in layout.tables(spec) for row in layout.LAYOUTS[table](spec, inputs.pairs)]
    rows = list({row.runs: row for row in rows}.values())
    n_draws, n_seeds = spec.draws, len(spec.seeds)
    suites = []
    for suite in spec.benchmarks:
        answers = [read_repeats(inputs.evaluations, row.runs, suite, n_draws) for row in rows]
        if len({each.shape[-1] for each in answers}) > 1:  # names the file that does not fit
            read_runs(inputs.evaluations, [row.runs[0] for row in rows], suite)
        suites.append(np.stack([np.broadcast_to(each, (n_draws, n_seeds, each.shape[-1])) for each in answers]))
    kinds = [Trained(row.stratum, Run.parse(row.runs[0]).variant) if is_run(row.runs[0]) else None for row in rows]
    measured = np.stack([values.mean(axis=(1, 2, 3)) for values in suites], axis=1)
    drawn = resampled_means(suites, kinds, np.random.default_rng(seed_of(STUDY, *spec.benchmarks)))
    places = {row.runs: place for place, row in enumerate(rows)}
    return Means(np.concatenate([measured[None], drawn]), places, n_seeds, n_draws)


def published_means(
    published: dict[tuple[str, ...], dict[str, float]], keys: Sequence[tuple[str, ...]], benchmarks: Sequence[str]
) -> np.ndarray:
    """The paper's numbers (keys, benchmarks); NaN if it has none."""
    return np.array([[published.get(key, {}).get(name, np.nan) for name in benchmarks] for key in keys])
