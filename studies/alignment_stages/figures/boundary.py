"""Figure: the boundary score of every initial policy, and which data then brought the larger increase."""

import pandas as pd
from matplotlib.axes import Axes

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from scripts.report.table import read_rows
from studies.alignment_stages.discrepancy import BOUNDARY
from studies.alignment_stages.predictions import compared

COLUMNS = ["policy", "objective", "iteration_1", "iteration_2", "boundary_score", "off_minus_on", "off_minus_on_se"]
SOURCES = {"": "here", "_published": "as published"}
MARKERS = ("o", "s", "^", "D", "v")


def draw(axis: Axes, starts: pd.DataFrame, errors: pd.Series | None, look: dict[str, dict]) -> None:
    """Initial policies as points; where the score names the better data the background is shaded."""
    reach = 1.08 * float((starts["off_minus_on"].abs() + (0 if errors is None else errors)).max()) or 1.0
    for left, right, low, high in ((0, BOUNDARY, 0, reach), (BOUNDARY, 1, -reach, 0)):
        axis.fill_between([left, right], low, high, color=style.FAINT, alpha=0.45, linewidth=0)
    for place, row in starts.iterrows():
        kind = look[row["objective"]]
        if errors is not None:
            axis.errorbar(
                row["score"], row["off_minus_on"], yerr=errors[place], fmt="none", ecolor=kind["color"], alpha=0.55
            )
        axis.plot(row["score"], row["off_minus_on"], linestyle="", markersize=6, **kind)
    axis.axhline(0, color=style.MUTED, linewidth=0.9, zorder=1)
    axis.axvline(BOUNDARY, color=style.MUTED, linewidth=0.9, linestyle=style.DASHED, zorder=1)
    axis.set(xlim=(0, 1), ylim=(-reach, reach))


def figure(table: pd.DataFrame) -> style.Figure:
    """A panel of ours, and one of the paper's numbers where there are any; each with its own axis of points."""
    found = {suffix: compared(table, suffix) for suffix in SOURCES if f"off_minus_on{suffix}" in table}
    found = {suffix: starts for suffix, starts in found.items() if len(starts)}
    objectives = list(dict.fromkeys(table["objective"]))
    look = {
        each: {"color": style.SERIES[at % len(style.SERIES)], "marker": MARKERS[at % len(MARKERS)]}
        for at, each in enumerate(objectives)
    }
    drawn, axes = style.panels(1, len(found), 3.0)
    for axis, (suffix, starts) in zip(axes[0], found.items(), strict=True):
        draw(axis, starts, None if suffix else table["off_minus_on_se"], look)
        axis.set_title(f"{SOURCES[suffix]}: {len(starts)} initial policies")
        axis.set_xlabel("boundary score of the initial policy")
    axes[0][0].set_ylabel("increase off-policy − on-policy, points")
    style.heading(
        drawn,
        "Does the boundary score name the better data?",
        "In the shaded quarters it does: below 0.5 off-policy data increased the length-controlled win rate more, "
        "above it on-policy data. Bars: ± 1 standard error.",
        [style.entry(each, linestyle="", **kind) for each, kind in look.items()],
    )
    return drawn


def main() -> None:
    draw_table("studies.alignment_stages.figures.boundary", __doc__, lambda path: figure(read_rows(path, COLUMNS)))


if __name__ == "__main__":
    cli.run(main)
