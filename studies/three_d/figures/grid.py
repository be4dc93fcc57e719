"""What of the paper's toy model survives another width, optimiser, learning rate and reading: DPO, scenario 1."""

from pathlib import Path

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from scripts.report.table import read_rows

SCENARIO = 1
PANELS = {
    "chosen_peak": "Peak of the chosen (the paper: about 0.6)",
    "chosen_end": "The chosen at the end",
    "unseen_end": "Responses 9 and 10 at the end (0.04 at first)",
}
READINGS = {
    "listed": ("rejected: any of 5 to 8", style.SERIES[0]),
    "fixed": ("rejected: always the same of them", style.SERIES[1]),
    "batch": ("rejected: another prompt's optimal one", style.SERIES[2]),
}
MARKERS = "osD^v"
APART = 0.18


def figure(path: Path) -> style.Figure:
    """A panel per quantity; a column per optimiser and learning rate, a mark per width and reading."""
    rows = read_rows(path, ["objective", "scenario", "rejected", "width", "optimiser", "learning_rate", *PANELS])
    rows = rows[(rows["objective"] == "dpo") & (rows["scenario"] == SCENARIO)]
    rows = rows.assign(how=[f"{o} {r:g}" for o, r in zip(rows["optimiser"], rows["learning_rate"], strict=True)])
    ways, widths = list(dict.fromkeys(rows["how"])), sorted(set(rows["width"]))
    readings = [each for each in READINGS if each in set(rows["rejected"])]
    drawn, axes = style.panels(len(PANELS), 1, 1.5, sharex=True)
    for (axis,), (column, title) in zip(axes, PANELS.items(), strict=True):
        for at, reading in enumerate(readings):
            for marker, width in zip(MARKERS, widths, strict=False):
                of = rows[(rows["rejected"] == reading) & (rows["width"] == width)]
                places = [ways.index(how) + APART * (at - (len(readings) - 1) / 2) for how in of["how"]]
                axis.errorbar(
                    places,
                    of[column],
                    yerr=of[f"{column}_se"],
                    fmt=marker,
                    color=READINGS[reading][1],
                    markersize=4.5,
                    elinewidth=1,
                    alpha=0.8,
                )
        axis.set_title(title)
        axis.set_ylim(0, 1.02)
    axes[0][0].axhline(0.6, color=style.MUTED, linewidth=0.9, linestyle=style.DASHED, zorder=1)
    axes[-1][0].set_xticks(range(len(ways)), ways)
    widths_key = [
        style.entry(f"width {width}", color=style.MUTED, marker=marker, linestyle="none")
        for marker, width in zip(MARKERS, widths, strict=False)
    ]
    style.heading(
        drawn,
        "What of the toy model survives another setting",
        "DPO, scenario 1, after the paper's number of epochs; means over seeds with standard errors, by optimiser and "
        "learning rate.",
        [
            *(
                style.entry(READINGS[each][0], color=READINGS[each][1], marker="o", linestyle="none")
                for each in readings
            ),
            *widths_key,
        ],
    )
    return drawn


def main() -> None:
    draw_table("studies.three_d.figures.grid", __doc__, figure)


if __name__ == "__main__":
    cli.run(main)
