"""Figure 1: the optimal policy, the pairs, and the toy policy before and after training with DPO, scenario 1."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from scripts.report.table import read_rows

COLUMNS = ["scenario", "prompt", "response", "paired", "before", "after"]
SCENARIO = 1
SHADES = LinearSegmentedColormap.from_list("likelihood", [style.PAPER, style.CHOSEN])
PAIRED = LinearSegmentedColormap.from_list("paired", [style.REJECTED, style.PAPER, style.CHOSEN])


def matrix(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Prompts by responses."""
    return rows.pivot(index="prompt", columns="response", values=column)


def draw(axis: Axes, values: pd.DataFrame, title: str, *, signed: bool = False, places: int | None = None) -> None:
    """One matrix, prompts from the top; places: decimals of the numbers in the cells, if any."""
    shades, low = (PAIRED, -1.0) if signed else (SHADES, 0.0)
    axis.pcolormesh(
        values.to_numpy(dtype=float), cmap=shades, vmin=low, vmax=1.0, edgecolors=style.FAINT, linewidth=0.6
    )
    for row, numbers in enumerate(values.to_numpy(dtype=float) if places is not None else []):
        for column, number in enumerate(numbers):
            colour = style.PAPER if number > 0.6 else style.INK
            text = f"{number:.{places}f}"
            axis.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=7.5, color=colour)
    axis.set_title(title)
    axis.set_xticks([each + 0.5 for each in range(values.shape[1])], values.columns)
    axis.set_yticks([each + 0.5 for each in range(values.shape[0])], values.index)
    axis.invert_yaxis()
    axis.grid(False)
    axis.spines[:].set_visible(False)


def figure(path: Path) -> style.Figure:
    rows = read_rows(path, COLUMNS)
    rows = rows[rows["scenario"] == SCENARIO]
    rows = rows.assign(
        sign=rows["paired"].map({"chosen": 1.0, "rejected": -1.0}).fillna(0.0),
        optimal=(rows["paired"] == "chosen").astype(float),
    )
    drawn, axes = style.panels(2, 2, 1.75)
    draw(axes[0][0], matrix(rows, "optimal"), "Optimal policy")
    draw(axes[0][1], matrix(rows, "sign"), "Pairs: blue chosen, red possibly rejected", signed=True)
    draw(axes[1][0], matrix(rows, "before"), "Before training", places=2)
    draw(axes[1][1], matrix(rows, "after"), "After training", places=2)
    for row in axes:
        row[0].set_ylabel("prompt")
    for axis in axes[1]:
        axis.set_xlabel("response")
    style.heading(
        drawn,
        "The toy model, before and after DPO",
        "Scenario 1: chosen and rejected both likely at first. Likelihoods, means over seeds, at the first width, "
        "optimiser and reading of the rejected of the configuration.",
    )
    return drawn


def main() -> None:
    draw_table("studies.three_d.figures.figure1", __doc__, figure)


if __name__ == "__main__":
    cli.run(main)
