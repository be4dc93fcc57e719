"""Figure: every candidate's difference to the baseline, a panel per suite, the baseline at zero."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from scripts.lib import cli
from scripts.report import style
from scripts.report.labels import benchmark, wrapped
from studies.compare.comparison import read_comparison

COLUMNS = 3
"""The most panels side by side."""
LABEL = 30
"""Characters of a name on one line."""
MARKS = {
    "better": ("^", style.SERIES[0], style.SERIES[0]),
    "worse": ("v", style.SERIES[1], style.SERIES[1]),
    "undecided": ("o", style.MUTED, style.PAPER),
}
"""Verdict -> its marker, its colour, and what fills the marker."""


def draw(axis: Axes, rows: pd.DataFrame) -> None:
    """One suite: a row per candidate, the first at the top; behind it what could not be shown."""
    for place, row in enumerate(reversed(rows.to_dict("records"))):
        marker, colour, fill = MARKS[row["verdict"]]
        if pd.notna(row["smallest"]):
            axis.barh(place, 2 * row["smallest"], 0.62, left=-row["smallest"], color=style.FAINT, alpha=0.55)
        axis.plot([row["ci_low"], row["ci_high"]], [place, place], color=colour)
        axis.plot(row["difference"], place, marker, color=colour, markerfacecolor=fill, markersize=6.5)
    ends = pd.concat([rows["ci_low"], rows["ci_high"], pd.Series([0.0])])
    band = min(rows["smallest"].fillna(0).max(), 2 * ends.abs().max())  # a longer one runs out of the panel
    low, high = min(ends.min(), -band), max(ends.max(), band)
    margin = 0.04 * (high - low) or 1.0
    axis.set_xlim(low - margin, high + margin)
    axis.axvline(0, color=style.MUTED, linewidth=0.9)
    axis.set_ylim(-0.6, len(rows) - 0.4)
    axis.grid(axis="x")
    axis.grid(axis="y", visible=False)
    axis.spines["left"].set_visible(False)


def figure(table: pd.DataFrame) -> style.Figure:
    suites = list(dict.fromkeys(table["suite"]))
    labels = [wrapped(name, LABEL) for name in dict.fromkeys(table["name"])]
    lines = max(label.count("\n") + 1 for label in labels)
    rows, columns = style.grid_shape(len(suites), COLUMNS)
    drawn, axes = style.panels(rows, columns, 0.75 + max(0.3, 0.16 * lines) * len(labels), sharey=True)
    for axis, suite in zip(style.flat(axes, len(suites)), suites, strict=True):
        of_suite = table[table["suite"] == suite]
        draw(axis, of_suite)
        axis.set_title(style.titled(f"{benchmark(suite)}, {of_suite['n_questions'].iloc[0]} questions", 7.0 / columns))
        axis.set_xlabel("difference, points")
    axes[0][0].set_yticks(range(len(labels)), labels[::-1])
    seeds = int(table["n_seeds"].iloc[0])
    hidden = f"Grey band: what {seeds} seeds and so many questions could not have shown."
    found = set(table["verdict"])
    style.heading(
        drawn,
        f"Difference to {table['baseline'].iloc[0]}",
        "Lines: 95 % intervals. "
        + (hidden if seeds > 1 else "One seed decides nothing: training noise is not in the intervals."),
        [
            style.entry(verdict, color=colour, marker=marker, markerfacecolor=fill)
            for verdict, (marker, colour, fill) in MARKS.items()
            if verdict in found
        ],
    )
    return drawn


def main() -> None:
    parser = cli.parser_of("studies.compare.forest", __doc__)
    parser.add_argument("--comparison", type=Path, required=True, help="comparison.csv")
    parser.add_argument("--out", type=Path, nargs="+", required=True, help=".svg and .png files")
    arguments = parser.parse_args()

    with style.drawing():
        style.save(figure(read_comparison(arguments.comparison)), arguments.out)


if __name__ == "__main__":
    cli.run(main)
