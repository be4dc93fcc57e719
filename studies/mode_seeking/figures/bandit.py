"""Reward against gradient steps, and against the samples that it took, for every method on the bandit."""

import pandas as pd

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from scripts.report.table import read_rows
from studies.mode_seeking.figures.axes import MEANS

COLUMNS = ["optimum", "method", "negative_gradient", "samples_from", "reuse", "n_seeds", "step", "samples", "reward"]
AXES = {"step": "gradient steps", "samples": "responses sampled and scored"}
DASHES = {"no": style.DASHED, "yes": "solid"}


def figure(table: pd.DataFrame) -> style.Figure:
    """A row for each optimum: against gradient steps, offline and on-policy; and against samples, for every reuse."""
    optima, methods = list(dict.fromkeys(table["optimum"])), list(dict.fromkeys(table["method"]))
    drawn, axes = style.panels(len(optima), 1 + len(AXES), 2.5, sharey=True)
    own = table["samples_from"] == "policy"
    shown = [
        ("step", "drawn once from the reference", table[~own]),
        ("step", "own, at every step", table[own & (table["reuse"] == table[own]["reuse"].min())]),
        ("samples", "own, reused or not", table[own & (table["step"] > 0)]),
    ]
    looks = {name: style.SERIES[at % len(style.SERIES)] for at, name in enumerate(methods)}
    negative = dict(zip(table["method"], table["negative_gradient"], strict=True))
    for row, optimum in zip(axes, optima, strict=True):
        for axis, (x, title, rows) in zip(row, shown, strict=True):
            of_optimum = rows[rows["optimum"] == optimum]
            for (method, _), line in of_optimum.groupby(["method", "reuse"], sort=False):
                axis.plot(
                    line[x], line["reward"], color=looks[method], linestyle=DASHES[negative[method]], linewidth=1.2
                )
            axis.set_ylim(0, 1.02)
            if optimum == optima[0]:
                axis.set_title(f"samples: {title}")
            if optimum == optima[-1]:
                axis.set_xlabel(AXES[x])
            if x == "samples":
                axis.set_xscale("log")
                axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
                axis.xaxis.set_minor_formatter(lambda *_: "")
        row[0].set_ylabel(style.fitted(MEANS.get(optimum, optimum), 1.9, 8.5))
    style.heading(
        drawn,
        "Expected reward during training",
        f"Mean over {table['n_seeds'].max()} seeds. Solid: with a negative gradient; dashed: without. "
        "Right: a line for each reuse; the more a batch is reused, the further to the left.",
        [style.entry(name, color=looks[name], linestyle=DASHES[negative[name]], linewidth=1.2) for name in methods],
    )
    return drawn


def main() -> None:
    draw_table("studies.mode_seeking.figures.bandit", __doc__, lambda path: figure(read_rows(path, COLUMNS)))


if __name__ == "__main__":
    cli.run(main)
