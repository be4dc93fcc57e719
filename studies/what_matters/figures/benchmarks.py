"""Table 1's lines as gains over the baseline, one panel per benchmark, ours above the paper's."""

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from scripts.report.labels import OF_NAMES
from scripts.report.labels import benchmark as benchmark_label
from studies.what_matters.figures.lines import KEY, SOURCES, Table1, draw_lines, read_table1

COLUMNS = 5
"""The most benchmarks side by side; further ones have rows of their own."""
HEIGHT = 1.5
"""Inches of a row."""


def figure(table: Table1) -> style.Figure:
    """Columns are benchmarks, each with one axis; a dataset has a row of ours and, if anything is, of the paper's."""
    blocks = style.chunks(table.benchmarks, COLUMNS)
    rows = [
        (block, name, source) for block in blocks for name in table.datasets for source in table.sources(name, block)
    ]
    has_published = any(source == "published" for _, _, source in rows)
    drawn, axes = style.panels(len(rows), len(blocks[0]), HEIGHT)
    of_benchmark: dict[str, list[style.Axes]] = {}
    for row, (block, name, source) in zip(axes, rows, strict=True):
        for axis, benchmark in zip(style.flat([row], len(block)), block, strict=True):
            if source not in table.sources(name, [benchmark]):
                style.blank(axis)
                continue
            draw_lines(axis, table, name, [benchmark], source, size=3.6)
            axis.tick_params(axis="x", labelrotation=45)
            of_benchmark.setdefault(benchmark, []).append(axis)
        row[0].set_ylabel(
            style.fitted(name, HEIGHT - 0.4, 8.5, breaks=OF_NAMES) + (f"\n{SOURCES[source]}" if has_published else "")
        )
    style.stacked({benchmark_label(name): column for name, column in of_benchmark.items()})
    drawn.supxlabel("tier of the response that improves", fontsize=8.5, color=style.MUTED)
    style.heading(
        drawn,
        "Every benchmark",
        f"Gain over the policy before DPO, in points. Bars: ± 1 standard error over {table.repeats}.",
        KEY,
    )
    return drawn


def main() -> None:
    draw_table("studies.what_matters.figures.benchmarks", __doc__, lambda path: figure(read_table1(path)))


if __name__ == "__main__":
    cli.run(main)
