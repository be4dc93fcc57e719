"""Figures 5 and 7: accuracy of reward models and DPO policies on held-out pairs along training."""

from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from scripts.report.table import read_rows

LOOKS = {"rm": ("reward model", style.SERIES[0]), "dpo": ("DPO", style.REJECTED)}
COLUMNS = ["set", "kind", "draw", "seed", "step"]


def mean_of_all(runs: pd.DataFrame, column: str) -> pd.Series:
    """The mean over runs by step, for the steps that all of them have: draws of the data differ a little in size."""
    wide = runs.pivot(index="step", columns=["draw", "seed"], values=column)
    return wide.dropna().mean(axis=1)


def panels_of(path: Path, column: str, label: str, title: str, note: str) -> style.Figure:
    """A panel per set of pairs: a thin line per run, and their mean where all have one."""
    table = read_rows(path, [*COLUMNS, column]).dropna(subset=column)
    groups = list(table.groupby("set", sort=False))
    drawn, (axes,) = style.panels(1, len(groups), 2.3, sharey=True)
    for axis, (name, rows) in zip(axes, groups, strict=True):
        for kind, (_, colour) in LOOKS.items():
            of_kind = rows[rows["kind"] == kind]
            for _, run in of_kind.groupby(["draw", "seed"]):
                axis.plot(run["step"], run[column], color=colour, linewidth=0.5, alpha=0.5)
            mean = mean_of_all(of_kind, column)
            axis.plot(mean.index, mean, color=colour)
        axis.set_title(f"in place of {name}")
        axis.set_xlabel("step")
    axes[0].set_ylabel(label)
    style.heading(drawn, title, note, [style.entry(name, color=colour) for name, colour in LOOKS.values()])
    return drawn


def figure(path: Path) -> style.Figure:
    return panels_of(
        path,
        "held_out",
        "accuracy",
        "Reward model and DPO on pairs of prompts that neither has seen",
        "One start, the same pairs in the same order, the same optimiser; two epochs. Thin: runs.",
    )


def main() -> None:
    draw_table("studies.three_d.figures.figure5", __doc__, figure)


if __name__ == "__main__":
    cli.run(main)
