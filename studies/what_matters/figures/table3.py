"""Figure of Table 3: the gain from better chosen responses, and that from a wider gap."""

import pandas as pd

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from scripts.report.table import read_rows

COLUMNS = ["part", "configuration", "n_seeds", "n_draws", "gain", "gain_se", "gain_published"]
COLOURS = (style.CHOSEN, style.REJECTED, style.SERIES[1])
SOURCES = {"": "here", "_published": "as published"}


def comparisons(table: pd.DataFrame) -> list[tuple[str, str, pd.Series]]:
    """(part, first over second, the first's row, which has the gain) of every comparison, in the table's order."""
    firsts, seconds = table.iloc[::2], table.iloc[1::2]
    return [
        (first["part"], f"{first['configuration']} over {second['configuration']}", first)
        for (_, first), (_, second) in zip(firsts.iterrows(), seconds.iterrows(), strict=True)
    ]


def figure(table: pd.DataFrame) -> style.Figure:
    """One line per comparison, under the name of its part; a panel for here and, if anything is, one for published."""
    found = comparisons(table)
    parts = list(dict.fromkeys(part for part, _, _ in found))
    places = [-(at + 1.5 * parts.index(part)) for at, (part, _, _) in enumerate(found)]
    sources = [suffix for suffix in SOURCES if table[f"gain{suffix}"].notna().any()]
    drawn, axes = style.panels(1, len(sources), 0.8 + 0.26 * -min(places), sharey=True, sharex=True)
    for axis, suffix in zip(axes[0], sources, strict=True):
        for place, (part, _, row) in zip(places, found, strict=True):
            colour, value = COLOURS[parts.index(part)], row[f"gain{suffix}"]
            axis.plot([0, value], [place, place], color=colour, linewidth=2.2, alpha=0.45)
            if not suffix:
                axis.errorbar(value, place, xerr=row["gain_se"], fmt="none", ecolor=colour, elinewidth=1.1)
            axis.plot(value, place, "o", color=colour, markersize=6)
        axis.axvline(0, color=style.MUTED, linewidth=0.9)
        style.across(axis)
        if len(sources) > 1:
            axis.set_title(SOURCES[suffix])
        axis.set_xlabel("gain, points")
    tops = [max(place for place, (of, _, _) in zip(places, found, strict=True) if of == part) + 0.95 for part in parts]
    axes[0][0].set_yticks([*places, *tops], [*(label for _, label, _ in found), *parts])
    for label, colour in zip(axes[0][0].get_yticklabels()[len(places) :], COLOURS, strict=False):
        label.set(color=colour, fontweight="bold")
    axes[0][0].set_ylim(min(places) - 0.6, max(tops) + 0.5)
    style.heading(
        drawn,
        "Better chosen responses, or a wider gap?",
        "Gain of the first dataset's policy over the second's. Bars: ± 1 standard error, questions paired.",
    )
    return drawn


def main() -> None:
    draw_table("studies.what_matters.figures.table3", __doc__, lambda path: figure(read_rows(path, COLUMNS)))


if __name__ == "__main__":
    cli.run(main)
