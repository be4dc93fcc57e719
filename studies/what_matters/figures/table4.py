"""Figure of Table 4: the effect of a share of on-policy samples in good and in bad offline data."""

import pandas as pd

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from scripts.report.labels import benchmark
from scripts.report.table import measured_in, read_rows

COLUMNS = ["quality", "on_policy", "n_seeds"]
LOOKS = {"high": (style.CHOSEN_TIERS["best"], "o"), "low": (style.CHOSEN_TIERS["low"], "s")}


def figure(table: pd.DataFrame) -> style.Figure:
    """Columns are benchmarks; a row of ours and a row of the paper's."""
    names = measured_in(table)
    drawn, axes = style.panels(2, len(names), 1.9, sharex=True)
    for of_row, (suffix, source) in zip(axes, {"": "here", "_published": "published"}.items(), strict=True):
        for axis, name in zip(of_row, names, strict=True):
            for quality, (colour, marker) in LOOKS.items():
                rows = table[table["quality"] == quality]
                if not suffix:
                    errors = rows[f"{name}_se"]
                    axis.errorbar(
                        rows["on_policy"],
                        rows[name],
                        yerr=errors,
                        fmt="none",
                        ecolor=colour,
                        elinewidth=1.1,
                        alpha=0.55,
                    )
                axis.plot(rows["on_policy"], rows[f"{name}{suffix}"], color=colour, marker=marker, label=quality)
            axis.set_xticks(sorted(set(table["on_policy"])))
            axis.margins(x=0.15, y=0.18)
            if not suffix:
                axis.set_title(benchmark(name))
        of_row[0].set_ylabel(f"{source}\npoints")
    axes[0][0].legend(title="offline data", fontsize=7.5, title_fontsize=7.5)
    drawn.supxlabel("on-policy pairs, percent", fontsize=8.5, color=style.MUTED)
    style.heading(
        drawn,
        "On-policy samples over good and over bad offline data",
        "Dark: chosen responses of high quality. Light: of low quality. Bars: ± 1 standard error.",
    )
    return drawn


def main() -> None:
    draw_table("studies.what_matters.figures.table4", __doc__, lambda path: figure(read_rows(path, COLUMNS)))


if __name__ == "__main__":
    cli.run(main)
