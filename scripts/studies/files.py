"""Reading evaluations, run by run, and published numbers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.lib.errors import InputError
from scripts.lib.results import read_evaluation


def read_runs(folder: Path, runs: Sequence[str], suite: str) -> np.ndarray:
    """Policies' results on one suite, from <folder>/<run>/<suite>.json: shape (runs, questions), in points."""
    values = []
    for run in runs:
        path = folder / run / f"{suite}.json"
        evaluation = read_evaluation(path)
        if (evaluation.policy, evaluation.suite) != (run, suite):
            raise InputError(
                path, f"holds {evaluation.suite} of {evaluation.policy}", "delete it and run snakemake again"
            )
        if values and evaluation.n != len(values[0]):
            raise InputError(
                path,
                f"{evaluation.n} questions, while {runs[0]} answered {len(values[0])}",
                "evaluate both on the same questions: delete both files and run snakemake again",
            )
        values.append(evaluation.values)
    return np.array(values)


def read_repeats(folder: Path, runs: Sequence[str], suite: str, draws: int) -> np.ndarray:
    """One policy's runs, by draw of the data, then by seed: shape (draws, seeds, questions), in points.

    A policy that was not trained has one run, whatever the draws: (1, 1, questions).
    """
    values = read_runs(folder, runs, suite)
    return values.reshape(draws if len(runs) > 1 else 1, -1, values.shape[1])


def read_published(path: Path, key: Sequence[str]) -> dict[tuple[str, ...], dict[str, float]]:
    """A paper's numbers: (values of the key columns) -> column -> number. Blank cells are left out.

    The file begins with ``#`` lines that name its source.
    """
    try:
        table = pd.read_csv(path, comment="#", dtype=dict.fromkeys(key, str), keep_default_na=False, na_values=[])
    except (OSError, ValueError) as error:
        raise InputError(path, f"not readable as CSV ({error})", "restore the file from the repository") from error
    if absent := [column for column in key if column not in table]:
        raise InputError(path, f"has no column {', '.join(absent)}", "restore the file from the repository")
    columns = [column for column in table if column not in key]
    found: dict[tuple[str, ...], dict[str, float]] = {}
    for row in table.to_dict("records"):
        at = tuple(row[column] for column in key)
        if at in found:
            raise InputError(path, f"a second row for {at}", "keep one of them")
        try:
            found[at] = {column: float(row[column]) for column in columns if row[column] != ""}
        except ValueError as error:
            raise InputError(path, f"row {at}: {error}", "write numbers, or leave the cell blank") from error
    return found
