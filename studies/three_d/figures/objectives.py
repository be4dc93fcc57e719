"""The toy model under every objective, scenario 1."""

from pathlib import Path

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from scripts.report.labels import benchmark
from studies.three_d.figures import curves

SCENARIO, COLUMNS = 1, 3


def figure(path: Path) -> style.Figure:
    table = curves.read_curves(path)
    names = list(dict.fromkeys(table["objective"]))
    drawn, axes = style.panels(*style.grid_shape(len(names), COLUMNS), 1.6, sharex=True, sharey=True)
    for axis, name in zip(style.flat(axes, len(names)), names, strict=True):
        curves.draw(axis, curves.of(table, name, SCENARIO))
        axis.set_title(benchmark(name))
    for row in axes:
        row[0].set_ylabel("likelihood")
    for axis in axes[-1]:
        axis.set_xlabel("epoch")
    style.heading(
        drawn,
        "The toy model under every objective",
        "Scenario 1, means over seeds, each objective with its default options, all at one learning rate: how fast "
        "they go is not a comparison. A curve ends where a run diverges.",
        curves.KEY,
    )
    return drawn


def main() -> None:
    draw_table("studies.three_d.figures.objectives", __doc__, figure)


if __name__ == "__main__":
    cli.run(main)
