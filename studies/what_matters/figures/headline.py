"""The headline figure: Table 1's lines, the mean over all benchmarks, here and in the paper."""

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from studies.what_matters.figures.lines import Table1, draw_lines, read_table1


def figure(table: Table1) -> style.Figure:
    """Two panels per dataset: the mean over all benchmarks here, and the paper's."""
    names = list(table.datasets)
    drawn, axes = style.panels(1, 2 * len(names), 3.0)
    sources = {"measured": f"here, {table.seeds}", "published": "as published"}
    for d, name in enumerate(names):
        for s, (source, title) in enumerate(sources.items()):
            axis = axes[0][2 * d + s]
            draw_lines(axis, table, name, table.benchmarks, source, named=True)
            axis.set_title(f"{name}\n{title}")
    axes[0][0].set_ylabel(f"mean of {len(table.benchmarks)} benchmarks, points")
    drawn.supxlabel("tier of the response that varies", fontsize=8.5, color=style.MUTED)
    style.heading(
        drawn,
        "What matters in DPO data: the chosen response or the rejected one?",
        "Blue: the chosen response improves, the rejected stays worst. Vermilion: the rejected improves, the chosen "
        "stays best. Bars: ± 1 standard error.",
    )
    return drawn


def main() -> None:
    draw_table("studies.what_matters.figures.headline", __doc__, lambda path: figure(read_table1(path)))


if __name__ == "__main__":
    cli.run(main)
