"""The study's tables as the figures and the page read them: `results/tables/what_matters/*.csv`."""

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from scripts.lib.errors import InputError

KEY = ["dataset", "chosen", "rejected", "n_seeds"]


@dataclass(frozen=True)
class Table1:
    """Its benchmarks, the baseline's row, and by dataset the rows of its three groups, in points."""

    benchmarks: list[str]
    baseline: pd.Series
    datasets: dict[str, dict[str, pd.DataFrame]]

    @property
    def n_seeds(self) -> list[int]:
        counts = {int(n) for groups in self.datasets.values() for rows in groups.values() for n in rows["n_seeds"]}
        return sorted(counts)


def read_rows(path: Path, columns: list[str]) -> pd.DataFrame:
    """A table that has these columns and at least one benchmark."""
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(path, f"not readable as CSV ({error})", "delete it and run snakemake again") from error
    if absent := [column for column in columns if column not in table]:
        raise InputError(path, f"has no column {', '.join(absent)}", "delete it and run snakemake again")
    if table.empty or not benchmarks_of(table):
        raise InputError(path, "has no rows, or no benchmark", "delete it and run snakemake again")
    return table


def benchmarks_of(table: pd.DataFrame) -> list[str]:
    """The benchmarks that a table has columns of."""
    return [
        column.removesuffix("_se")
        for column in table
        if column.endswith("_se") and f"{column.removesuffix('_se')}_published" in table and column != "gain_se"
    ]


def read_table1(path: Path) -> Table1:
    """The table, split into the baseline and `<dataset> (<group>)` rows."""
    table = read_rows(path, KEY)
    benchmarks = benchmarks_of(table)
    datasets: dict[str, dict[str, pd.DataFrame]] = {}
    for name, rows in table.groupby("dataset", sort=False):
        if match := re.fullmatch(r"(.*) \((Fixed Best|Fixed Worst|Other)\)", str(name)):
            datasets.setdefault(match[1], {})[match[2]] = rows.reset_index(drop=True)
    baselines = table[table["chosen"].isna()]
    if len(baselines) != 1:
        raise InputError(path, "is no Table 1: it has not one baseline row", "delete it and run snakemake again")
    return Table1(benchmarks, baselines.iloc[0], datasets)
