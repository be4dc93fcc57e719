"""Figure of Table 2: online DPO with fixed chosen responses next to continual SFT on them, per benchmark."""

import numpy as np
import pandas as pd

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from scripts.report.labels import benchmark
from scripts.report.table import measured_in, read_rows

COLUMNS = ["dataset", "configuration", "n_seeds"]
LOOKS = {"Continual SFT": (style.SERIES[0], "s", -0.13), "Online DPO": (style.CHOSEN, "o", 0.13)}
SOURCES = {"": "here", "_published": "as published"}


def figure(table: pd.DataFrame) -> style.Figure:
    """A row of panels per dataset: the change from the baseline as measured here, and the paper's."""
    names = measured_in(table)
    baseline, rows = table[table["configuration"].isna()].iloc[0], table[table["configuration"].notna()]
    datasets = list(dict.fromkeys(rows["dataset"]))
    drawn, axes = style.panels(len(datasets), 2, 2.1)
    for of_row, dataset in zip(axes, datasets, strict=True):
        for axis, (suffix, source) in zip(of_row, SOURCES.items(), strict=True):
            for name, (colour, marker, aside) in LOOKS.items():
                row = rows[(rows["dataset"] == dataset) & (rows["configuration"] == name)].iloc[0]
                change = np.array([row[f"{each}{suffix}"] - baseline[f"{each}{suffix}"] for each in names], dtype=float)
                at = np.arange(len(names)) + aside
                if not suffix:
                    errors = [row[f"{each}_se"] for each in names]
                    axis.errorbar(at, change, yerr=errors, fmt="none", ecolor=colour, elinewidth=1.1, alpha=0.55)
                axis.plot(at, change, marker, color=colour, markersize=5.5, label=name)
            axis.axhline(0, color=style.MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
            axis.set_xticks(range(len(names)), [benchmark(each) for each in names])
            axis.set_title(f"{dataset}, {source}")
        of_row[0].set_ylabel("points against the baseline")
    axes[0][0].legend(loc="best", fontsize=8)
    style.heading(
        drawn,
        "Does online DPO with fixed chosen responses do more than fine-tuning on them?",
        "Change from the policy that both start from. Bars: ± 1 standard error of the trained policy's own value.",
    )
    return drawn


def main() -> None:
    draw_table("studies.what_matters.figures.table2", __doc__, lambda path: figure(read_rows(path, COLUMNS)))


if __name__ == "__main__":
    cli.run(main)
