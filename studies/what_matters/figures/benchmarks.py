"""Table 1's lines, one panel per benchmark, ours above the paper's."""

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from scripts.report.labels import benchmark as benchmark_label
from studies.what_matters.figures.lines import Table1, draw_lines, read_table1


def figure(table: Table1) -> style.Figure:
    """Columns are benchmarks; each dataset has a row of ours and a row of the paper's."""
    names = list(table.datasets)
    drawn, axes = style.panels(2 * len(names), len(table.benchmarks), 1.55, sharex=True)
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
        drawn,
        "Every benchmark, points",
        "Blue: chosen varies. Vermilion: rejected varies. Dashed: SFT baseline. "
        f"Bars: ± 1 standard error, {table.seeds}.",
    )
    return drawn


def main() -> None:
    draw_table("studies.what_matters.figures.benchmarks", __doc__, lambda path: figure(read_table1(path)))


if __name__ == "__main__":
    cli.run(main)
