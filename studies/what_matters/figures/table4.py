"""Figure of Table 4: what a share of on-policy samples adds to good and to bad offline data."""

import pandas as pd

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from scripts.report.labels import benchmark
from scripts.report.table import measured_in, read_rows

COLUMNS = ["quality", "on_policy", "n_seeds", "n_draws"]
LOOKS = {
    "high": {"color": style.CHOSEN_TIERS["best"], "marker": "o"},
    "low": {"color": style.CHOSEN_TIERS["medium"], "marker": "s"},
}
ASIDE = 0.015
"""How far lines that may lie over one another are moved apart, as a share of the axis."""
SOURCES = {"": "here", "_published": "as published"}
WIDE = 5
"""The most benchmarks side by side; further ones have rows of their own."""


def figure(table: pd.DataFrame) -> style.Figure:
    """Columns are benchmarks, each with one axis; a row of ours and, if anything is, a row of the paper's."""
    names = measured_in(table)
    shown = {f"{name}{suffix}" for name in names for suffix in SOURCES if table[f"{name}{suffix}"].notna().any()}
    blocks = style.chunks(names, WIDE)
    rows = [
        (block, suffix) for block in blocks for suffix in SOURCES if any(f"{name}{suffix}" in shown for name in block)
    ]
    drawn, axes = style.panels(len(rows), len(blocks[0]), 1.9)
    of_benchmark: dict[str, list[style.Axes]] = {}
    for row, (block, suffix) in zip(axes, rows, strict=True):
        for axis, name in zip(style.flat([row], len(block)), block, strict=True):
            if f"{name}{suffix}" not in shown:
                style.blank(axis)
                continue
            draw(axis, table, name, suffix)
            of_benchmark.setdefault(name, []).append(axis)
        if len(rows) > len(blocks):
            row[0].set_ylabel(SOURCES[suffix])
    style.stacked({benchmark(name): column for name, column in of_benchmark.items()})
    drawn.supxlabel("on-policy pairs, percent", fontsize=8.5, color=style.MUTED)
    style.heading(
        drawn,
        "On-policy samples over good and over bad offline data",
        "Gain over the same offline data without them, in points. Bars: ± 1 standard error of the gain.",
        [style.entry(f"offline data of {quality} quality", **look) for quality, look in LOOKS.items()],
    )
    return drawn


def draw(axis: style.Axes, table: pd.DataFrame, name: str, suffix: str) -> None:
    """Both offline datasets on one benchmark; the first row of each is the data without on-policy samples."""
    shares = sorted(set(table["on_policy"]))
    for aside, (quality, look) in zip((-ASIDE, ASIDE), LOOKS.items(), strict=True):
        rows = table[table["quality"] == quality]
        at = rows["on_policy"] + aside * (shares[-1] - shares[0])
        gain = rows[f"{name}{suffix}"] - rows[f"{name}{suffix}"].iloc[0]
        if not suffix:
            errors = rows[f"{name}_gain_se"].fillna(0)
            axis.errorbar(at, gain, yerr=errors, fmt="none", ecolor=look["color"], elinewidth=1.1, alpha=0.55)
        axis.plot(at, gain, **look)
    axis.axhline(0, color=style.MUTED, linewidth=0.9, linestyle=style.DASHED, zorder=1)
    axis.set_xticks(shares)
    axis.margins(x=0.15, y=0.15)


def main() -> None:
    draw_table("studies.what_matters.figures.table4", __doc__, lambda path: figure(read_rows(path, COLUMNS)))


if __name__ == "__main__":
    cli.run(main)
