"""The figures of Table 1: the headline (the benchmarks' mean) and one panel a benchmark.

Two lines a panel. One varies the tier of the chosen response, the rejected fixed at worst; the other
varies the tier of the rejected, the chosen fixed at best. Ours stand beside the paper's.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from scripts.lib import cli
from scripts.lib.vocabulary import TIERS
from scripts.report import style
from scripts.report.labels import benchmark as benchmark_label
from studies.what_matters.figures.rows import Table1, read_table1

RISING = list(reversed(TIERS))
LINES = {
    "chosen": ("Fixed Worst", style.CHOSEN, "chosen varies"),
    "rejected": ("Fixed Best", style.REJECTED, "rejected varies"),
}


def mean_of(rows: pd.DataFrame, benchmarks: list[str], source: str) -> tuple[np.ndarray, np.ndarray | None]:
    """(means, standard errors) over benchmarks of each row; suites share no questions, so errors add in squares."""
    if source == "published":
        return rows[[f"{name}_published" for name in benchmarks]].to_numpy().mean(axis=1), None
    errors = rows[[f"{name}_se" for name in benchmarks]].to_numpy()
    return rows[benchmarks].to_numpy().mean(axis=1), np.sqrt((errors**2).sum(axis=1)) / len(benchmarks)


def draw_lines(
    axis: Axes, table: Table1, dataset: str, benchmarks: list[str], source: str, named: bool, small: bool = False
) -> None:
    """Both lines and the baseline in one panel; ``named`` writes what the lines are beside them."""
    for side, (group, colour, text) in LINES.items():
        rows = table.datasets[dataset].get(group)
        if rows is None:
            continue
        at = [RISING.index(tier) for tier in rows[side]]
        values, errors = mean_of(rows, benchmarks, source)
        if np.isnan(values).all():
            continue
        if errors is not None:
            axis.errorbar(at, values, yerr=errors, fmt="none", ecolor=colour, elinewidth=1.1, alpha=0.55)
        axis.plot(at, values, color=colour, marker="o", markersize=3.6 if small else 5, linewidth=1.5 if small else 2)
        if named:
            above = side == "rejected"
            axis.annotate(
                text,
                (at[0], values[:3].max() if above else values[:3].min()),
                xytext=(-2, 11) if above else (7, -4),
                textcoords="offset points",
                va="bottom" if above else "top",
                color=colour,
                fontweight="bold",
            )
    baseline, _ = mean_of(table.baseline.to_frame().T.astype(object).infer_objects(), benchmarks, source)
    axis.axhline(float(baseline[0]), color=style.MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    if named:
        axis.annotate(
            "SFT baseline",
            (0, float(baseline[0])),
            xycoords=("axes fraction", "data"),
            xytext=(3, 2.5),
            textcoords="offset points",
            fontsize=7.5,
            color=style.MUTED,
        )
    axis.set_xticks(range(len(RISING)), RISING, fontsize=7.5)
    axis.set_xlim(-0.35, len(RISING) - 0.65)
    axis.margins(y=0.18)


def _seeds(table: Table1) -> str:
    counts = table.n_seeds
    return "1 seed" if counts == [1] else f"{'/'.join(map(str, counts))} seeds"


def headline(table: Table1) -> style.Figure:
    """One row a dataset: the mean of all benchmarks here, and the paper's."""
    names = list(table.datasets)
    figure, axes = style.panels(1, 2 * len(names), 3.0)
    sources = {"measured": f"here, {_seeds(table)}", "published": "as published"}
    for d, name in enumerate(names):
        for s, (source, title) in enumerate(sources.items()):
            axis = axes[0][2 * d + s]
            draw_lines(axis, table, name, table.benchmarks, source, named=True)
            axis.set_title(f"{name}\n{title}")
    axes[0][0].set_ylabel(f"mean of {len(table.benchmarks)} benchmarks, points")
    figure.supxlabel("tier of the response that varies", fontsize=8.5, color=style.MUTED)
    style.heading(
        figure,
        "What matters in DPO data: the chosen response or the rejected one?",
        "Blue: the chosen response improves, the rejected stays worst. Vermilion: the rejected improves, the chosen "
        "stays best. Bars: ± 1 standard error.",
    )
    return figure


def by_benchmark(table: Table1) -> style.Figure:
    """Columns are benchmarks; each dataset has a row of ours and a row of the paper's."""
    names = list(table.datasets)
    figure, axes = style.panels(2 * len(names), len(table.benchmarks), 1.55, sharex=True)
    for d, name in enumerate(names):
        for s, source in enumerate(("measured", "published")):
            for b, benchmark in enumerate(table.benchmarks):
                axis = axes[2 * d + s][b]
                draw_lines(axis, table, name, [benchmark], source, named=False, small=True)
                if d == s == 0:
                    axis.set_title(benchmark_label(benchmark))
            axes[2 * d + s][0].set_ylabel(f"{name}\n{'here' if source == 'measured' else 'published'}")
    for axis in axes[-1]:
        axis.tick_params(axis="x", labelrotation=45)
    style.heading(
        figure,
        "Every benchmark, points",
        "Blue: chosen varies. Vermilion: rejected varies. Dashed: SFT baseline. "
        f"Bars: ± 1 standard error, {_seeds(table)}.",
    )
    return figure


def main() -> None:
    parser = cli.parser_of("studies.what_matters.figures.headline", __doc__)
    parser.add_argument("--table", type=Path, required=True, help="table1.csv")
    parser.add_argument("--headline", type=Path, nargs="+", required=True, help=".svg and .png files")
    parser.add_argument("--benchmarks", type=Path, nargs="+", required=True, help=".svg and .png files")
    arguments = parser.parse_args()

    table = read_table1(arguments.table)
    with style.drawing():
        style.save(headline(table), arguments.headline)
        style.save(by_benchmark(table), arguments.benchmarks)


if __name__ == "__main__":
    cli.run(main)
