"""Code shared by the two figures of Table 1: the table by datasets and groups, and its two lines as gains.

One line varies the tier of the chosen response, the rejected fixed at worst; the other varies the tier of the rejected,
the chosen fixed at best. Everything is a gain over the baseline in points, so that here and published share an axis.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from scripts.lib.errors import InputError
from scripts.lib.vocabulary import TIERS
from scripts.report import style
from scripts.report.labels import repeats
from scripts.report.table import measured_in, read_rows

RISING = list(reversed(TIERS))
LINES = {"chosen": ("Fixed Worst", style.CHOSEN), "rejected": ("Fixed Best", style.REJECTED)}
"""The response that varies -> its group of rows in Table 1, and its colour."""
KEY = (
    style.entry("chosen response improves, rejected stays worst", color=style.CHOSEN, marker="o"),
    style.entry("rejected response improves, chosen stays best", color=style.REJECTED, marker="o"),
    style.entry("before DPO", color=style.MUTED, linewidth=0.9, linestyle=style.DASHED),
)
REPEATS = ("n_seeds", "n_draws")
SOURCES = {"measured": "here", "published": "as published"}


@dataclass(frozen=True)
class Table1:
    """Its benchmarks, the baseline's row, and by dataset the rows of its three groups, in points."""

    benchmarks: list[str]
    baseline: pd.Series
    datasets: dict[str, dict[str, pd.DataFrame]]

    @property
    def repeats(self) -> str:
        """The rows' seeds and draws in words, and what one seed leaves out."""
        rows = pd.concat([rows for groups in self.datasets.values() for rows in groups.values()])
        return repeats(*(rows[column] for column in REPEATS))

    def published(self, dataset: str, benchmarks: list[str]) -> bool:
        """Whether the paper has a gain for any row of a line."""
        groups = [self.datasets[dataset].get(group) for group, _ in LINES.values()]
        return any(
            np.isfinite(self.gains(rows, benchmarks, "published")[0]).any() for rows in groups if rows is not None
        )

    def sources(self, dataset: str, benchmarks: list[str]) -> list[str]:
        """What there is to show of a dataset: measured, and published if anything was."""
        return ["measured", "published"] if self.published(dataset, benchmarks) else ["measured"]

    def gains(self, rows: pd.DataFrame, benchmarks: list[str], source: str) -> tuple[np.ndarray, np.ndarray | None]:
        """(means, standard errors) over benchmarks of each row's gain over the baseline.

        Suites share no questions, so errors add in squares.
        """
        if source == "published":
            names = [f"{name}_published" for name in benchmarks]
            return (rows[names] - self.baseline[names].astype(float)).to_numpy(dtype=float).mean(axis=1), None
        gains = (rows[benchmarks] - self.baseline[benchmarks].astype(float)).to_numpy(dtype=float)
        errors = rows[[f"{name}_gain_se" for name in benchmarks]].to_numpy(dtype=float)
        return gains.mean(axis=1), np.sqrt((errors**2).sum(axis=1)) / len(benchmarks)


def read_table1(path: Path) -> Table1:
    """The table, split into the baseline and `<dataset> (<group>)` rows."""
    table = read_rows(path, ["dataset", "chosen", "rejected", *REPEATS])
    datasets: dict[str, dict[str, pd.DataFrame]] = {}
    for name, rows in table.groupby("dataset", sort=False):
        if match := re.fullmatch(r"(.*) \((Fixed Best|Fixed Worst|Other)\)", str(name)):
            datasets.setdefault(match[1], {})[match[2]] = rows.reset_index(drop=True)
    baselines = table[table["chosen"].isna()]
    if len(baselines) != 1:
        raise InputError(path, "is no Table 1: it has not one baseline row", "delete it and run snakemake again")
    return Table1(measured_in(table), baselines.iloc[0], datasets)


def draw_lines(axis: Axes, table: Table1, dataset: str, benchmarks: list[str], source: str, size: float = 5) -> None:
    """Both lines of a dataset in one panel, the baseline at zero; size: of the markers."""
    for side, (group, colour) in LINES.items():
        rows = table.datasets[dataset].get(group)
        if rows is None:
            continue
        at = [RISING.index(tier) for tier in rows[side]]
        values, errors = table.gains(rows, benchmarks, source)
        if errors is not None:
            axis.errorbar(at, values, yerr=errors, fmt="none", ecolor=colour, elinewidth=1.1, alpha=0.55)
        axis.plot(at, values, color=colour, marker="o", markersize=size, linewidth=0.4 * size)
    axis.axhline(0, color=style.MUTED, linewidth=0.9, linestyle=style.DASHED, zorder=1)
    axis.set_xticks(range(len(RISING)), RISING, fontsize=7.5)
    axis.set_xlim(-0.35, len(RISING) - 0.65)
    axis.margins(y=0.12)
