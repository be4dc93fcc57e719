"""Code shared by the two figures of Table 1: the table by datasets and groups, and its two lines.

One line varies the tier of the chosen response, the rejected fixed at worst; the other varies the tier of the rejected,
the chosen fixed at best. Our lines are shown next to the paper's.
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
from scripts.report.table import measured_in, read_rows

RISING = list(reversed(TIERS))
LINES = {
    "chosen": ("Fixed Worst", style.CHOSEN, "chosen varies"),
    "rejected": ("Fixed Best", style.REJECTED, "rejected varies"),
}


@dataclass(frozen=True)
class Table1:
    """Its benchmarks, the baseline's row, and by dataset the rows of its three groups, in points."""

    benchmarks: list[str]
    baseline: pd.Series
    datasets: dict[str, dict[str, pd.DataFrame]]

    @property
    def seeds(self) -> str:
        """The rows' number of seeds, in words."""
        counts = sorted({int(n) for groups in self.datasets.values() for rows in groups.values() for n in rows.n_seeds})
        return "1 seed" if counts == [1] else f"{'/'.join(map(str, counts))} seeds"


def read_table1(path: Path) -> Table1:
    """The table, split into the baseline and `<dataset> (<group>)` rows."""
    table = read_rows(path, ["dataset", "chosen", "rejected", "n_seeds"])
    datasets: dict[str, dict[str, pd.DataFrame]] = {}
    for name, rows in table.groupby("dataset", sort=False):
        if match := re.fullmatch(r"(.*) \((Fixed Best|Fixed Worst|Other)\)", str(name)):
            datasets.setdefault(match[1], {})[match[2]] = rows.reset_index(drop=True)
    baselines = table[table["chosen"].isna()]
    if len(baselines) != 1:
        raise InputError(path, "is no Table 1: it has not one baseline row", "delete it and run snakemake again")
    return Table1(measured_in(table), baselines.iloc[0], datasets)


def mean_of(rows: pd.DataFrame, benchmarks: list[str], source: str) -> tuple[np.ndarray, np.ndarray | None]:
    """(means, standard errors) over benchmarks of each row; suites share no questions, so errors add in squares."""
    if source == "published":
        return rows[[f"{name}_published" for name in benchmarks]].to_numpy().mean(axis=1), None
    errors = rows[[f"{name}_se" for name in benchmarks]].to_numpy()
    return rows[benchmarks].to_numpy().mean(axis=1), np.sqrt((errors**2).sum(axis=1)) / len(benchmarks)


def draw_lines(
    axis: Axes, table: Table1, dataset: str, benchmarks: list[str], source: str, named: bool, small: bool = False
) -> None:
    """Both lines and the baseline in one panel; ``named`` labels the lines."""
    for side, (group, colour, text) in LINES.items():
        rows = table.datasets[dataset].get(group)
        if rows is None:
            continue
        at = [RISING.index(tier) for tier in rows[side]]
        values, errors = mean_of(rows, benchmarks, source)
        if np.isnan(values).all():
            continue
        if errors is not None:
            axis.errorbar(at, values, yerr=errors, fmt="none", ecolor=colour, elinewidth=1.1, alpha=0.55)
        axis.plot(at, values, color=colour, marker="o", markersize=3.6 if small else 5, linewidth=1.5 if small else 2)
        if named:
            above = side == "rejected"
            axis.annotate(
                text,
                (at[0], values[:3].max() if above else values[:3].min()),
                xytext=(-2, 11) if above else (7, -4),
                textcoords="offset points",
                va="bottom" if above else "top",
                color=colour,
                fontweight="bold",
            )
    baseline, _ = mean_of(table.baseline.to_frame().T.astype(object).infer_objects(), benchmarks, source)
    axis.axhline(float(baseline[0]), color=style.MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    if named:
        axis.annotate(
            "SFT baseline",
            (0, float(baseline[0])),
            xycoords=("axes fraction", "data"),
            xytext=(3, 2.5),
            textcoords="offset points",
            fontsize=7.5,
            color=style.MUTED,
        )
    axis.set_xticks(range(len(RISING)), RISING, fontsize=7.5)
    axis.set_xlim(-0.35, len(RISING) - 0.65)
    axis.margins(y=0.18)
