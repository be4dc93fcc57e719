"""What the runs on the bandit came to: with the learning rate that serves a row best, over seeds."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from scripts.lib.errors import InputError
from studies.mode_seeking.bandit.layout import CHOSEN, RUNS

ROW = ["optimum", "method", "on_policy", "reuse", "shifted"]
"""What a row of the table is about."""


def read_runs(paths: Sequence[Path]) -> pd.DataFrame:
    """The methods' files, one below the other."""
    return pd.concat([_read(path, RUNS) for path in paths], ignore_index=True)


def read_chosen(path: Path) -> pd.DataFrame:
    """The file of DPO on fixed pairs."""
    return _read(path, CHOSEN)


def _read(path: Path, columns: list[str]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(path, f"not readable as CSV ({error})", "delete it and run snakemake again") from error
    if list(table) != columns or table.empty:
        raise InputError(path, "is no table of runs on the bandit", "delete it and run snakemake again")
    return table


def at_best_rate(runs: pd.DataFrame) -> pd.DataFrame:
    """Of every row the runs with one learning rate: that with the largest mean final reward, the smallest if equal."""
    final = runs[runs["step"] == runs["step"].max()]
    means = final.groupby([*ROW, "learning_rate"], sort=False, as_index=False)["reward"].mean()
    means = means.sort_values("learning_rate", kind="stable")
    best = means.loc[means.groupby(ROW, sort=False)["reward"].idxmax(), [*ROW, "learning_rate"]]
    return runs.merge(best, on=[*ROW, "learning_rate"])


def over_seeds(runs: pd.DataFrame, *more: str) -> pd.DataFrame:
    """Mean, standard error and number of seeds of each row; with ``more``, of each row and value of these columns."""
    key = [*ROW, *more]
    grouped = runs.groupby(key, sort=False)
    found = grouped["reward"].agg(reward="mean", reward_se="sem", n_seeds="count").reset_index()
    return found.merge(grouped[["learning_rate", "samples"]].first().reset_index(), on=key)
