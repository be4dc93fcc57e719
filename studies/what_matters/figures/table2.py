"""Figure of Table 2: online DPO with fixed chosen responses next to continual SFT on them, per benchmark."""

import numpy as np
import pandas as pd

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from scripts.report.labels import benchmark
from scripts.report.table import measured_in, read_rows

COLUMNS = ["dataset", "configuration", "n_seeds", "n_draws"]
MARKS = {"Continual SFT": (style.SERIES[0], "s", 0.14), "Online DPO": (style.CHOSEN, "o", -0.14)}
"""Training -> its colour, its marker, and how far above its benchmark's line it is drawn."""
SOURCES = {"": "here", "_published": "as published"}


def figure(table: pd.DataFrame) -> style.Figure:
    """A panel per dataset and source with a row per benchmark: the gain over the baseline, all on one axis."""
    names = measured_in(table)
    baseline, rows = table[table["configuration"].isna()].iloc[0], table[table["configuration"].notna()]
    panels = [
        (dataset, suffix)
        for dataset, of_dataset in rows.groupby("dataset", sort=False)
        for suffix in SOURCES
        if of_dataset[[f"{each}{suffix}" for each in names]].notna().any(axis=None)
    ]
    has_published = any(suffix for _, suffix in panels)
    shape = style.grid_shape(len(panels), 2 if has_published else 3)
    drawn, axes = style.panels(*shape, 0.9 + 0.3 * len(names), sharex=True, sharey=True)
    for axis, (dataset, suffix) in zip(style.flat(axes, len(panels)), panels, strict=True):
        for name, (colour, marker, aside) in MARKS.items():
            row = rows[(rows["dataset"] == dataset) & (rows["configuration"] == name)].iloc[0]
            gain = np.array([row[f"{each}{suffix}"] - baseline[f"{each}{suffix}"] for each in names], dtype=float)
            at = -np.arange(len(names)) + aside
            if not suffix:
                errors = [row[f"{each}_gain_se"] for each in names]
                axis.errorbar(gain, at, xerr=errors, fmt="none", ecolor=colour, elinewidth=1.1, alpha=0.55)
            axis.plot(gain, at, marker, color=colour, markersize=5.5)
        axis.axvline(0, color=style.MUTED, linewidth=0.9, linestyle=style.DASHED, zorder=1)
        axis.set_yticks(-np.arange(len(names)), [benchmark(each) for each in names])
        axis.set_ylim(0.6 - len(names), 0.6)
        style.across(axis)
        title = style.titled(dataset, style.WIDTH / shape[1] - 0.9)
        axis.set_title(f"{title}\n{SOURCES[suffix]}" if has_published else title)
    drawn.supxlabel("gain, points", fontsize=8.5, color=style.MUTED)
    style.heading(
        drawn,
        "Does online DPO with fixed chosen responses do more than fine-tuning on them?",
        "Gain over the policy that both start from. Bars: ± 1 standard error of the gain.",
        [style.entry(name, color=look[0], marker=look[1], linestyle="") for name, look in MARKS.items()],
    )
    return drawn


def main() -> None:
    draw_table("studies.what_matters.figures.table2", __doc__, lambda path: figure(read_rows(path, COLUMNS)))


if __name__ == "__main__":
    cli.run(main)
