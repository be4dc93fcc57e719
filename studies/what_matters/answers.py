"""Inputs of the claims: points per question and run, and the paper's means."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scripts.lib.config.pairs import PairsSpec
from scripts.studies.files import read_runs


@dataclass(frozen=True)
class Inputs:
    """What claims are judged from: pairs by name, and the folders of evaluations, tables and published numbers."""

    pairs: dict[str, PairsSpec]
    evaluations: Path
    tables: Path
    published: Path


def answers(policies: Sequence[Sequence[str]], benchmarks: Sequence[str], evaluations: Path) -> list[np.ndarray]:
    """One array (policies, seeds, questions) per benchmark; ``policies`` are the runs of each, one per seed."""
    of_all = [run for runs in policies for run in runs]
    shape = (len(policies), len(policies[0]), -1)
    return [read_runs(evaluations, of_all, benchmark).reshape(shape) for benchmark in benchmarks]


def published_means(
    published: dict[tuple[str, ...], dict[str, float]], keys: Sequence[tuple[str, ...]], benchmarks: Sequence[str]
) -> np.ndarray:
    """The paper's numbers (keys, benchmarks); NaN if it has none."""
    return np.array([[published.get(key, {}).get(name, np.nan) for name in benchmarks] for key in keys])
