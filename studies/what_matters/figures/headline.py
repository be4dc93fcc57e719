"""The headline figure: Table 1's lines as mean gains over the baseline, here and in the paper."""

from pathlib import Path

from scripts.lib import cli
from scripts.report import style
from scripts.report.labels import benchmark, listed
from studies.what_matters.figures.lines import KEY, SOURCES, Table1, draw_lines, read_table1

COLUMNS = 4
"""The most panels side by side."""
Panel = tuple[str, str]
"""A dataset and the source of its numbers."""


def averaged(table: Table1, wanted: list[str]) -> list[str]:
    """The benchmarks whose mean is drawn: those of the wanted ones that the paper has too, if it has any."""
    shared = [name for name in wanted if any(table.published(data, [name]) for data in table.datasets)]
    return shared or wanted


def arranged(panels: list[list[Panel]]) -> list[list[Panel]]:
    """Rows of panels, as even as possible; a dataset's panels stay side by side."""
    _, wide = style.grid_shape(sum(map(len, panels)), COLUMNS)
    wide = max(wide, *map(len, panels))
    rows: list[list[Panel]] = [[]]
    for of_dataset in panels:
        if len(rows[-1]) + len(of_dataset) > wide:
            rows.append([])
        rows[-1] += of_dataset
    return rows


def figure(table: Table1, wanted: list[str]) -> style.Figure:
    """A panel per dataset and source, all with one axis; wanted: the benchmarks whose mean may be drawn."""
    benchmarks = averaged(table, wanted)
    sources = {name: table.sources(name, benchmarks) for name in table.datasets}
    rows = arranged([[(name, source) for source in found] for name, found in sources.items()])
    columns = max(map(len, rows))
    names = {name: style.titled(name, style.WIDTH / columns - 0.6) for name in sources}
    lines = max(name.count("\n") for name in names.values())
    has_published = any(len(found) > 1 for found in sources.values())
    drawn, axes = style.panels(len(rows), columns, 2.6 + 0.16 * lines, sharey=True)
    for row, panels in zip(axes, rows, strict=True):
        for axis, (name, source) in zip(style.flat([row], len(panels)), panels, strict=True):
            draw_lines(axis, table, name, benchmarks, source)
            axis.set_title(f"{names[name]}\n{SOURCES[source]}" if has_published else names[name])
        row[0].set_ylabel("gain, points")
    drawn.supxlabel("tier of the response that improves", fontsize=8.5, color=style.MUTED)
    style.heading(
        drawn,
        "What matters in DPO data: the chosen response or the rejected one?",
        f"Gain over the policy before DPO, {meaning(benchmarks)}. Bars: ± 1 standard error over {table.repeats}.",
        KEY,
    )
    return drawn


def meaning(benchmarks: list[str]) -> str:
    """What a gain is measured by, in words."""
    names = listed([benchmark(name) for name in benchmarks])
    return f"mean of {len(benchmarks)} benchmarks ({names})" if len(benchmarks) > 1 else f"in {names}"


def main() -> None:
    parser = cli.parser_of("studies.what_matters.figures.headline", __doc__)
    parser.add_argument("--table", type=Path, required=True, help="table1.csv")
    parser.add_argument("--benchmarks", nargs="+", required=True, help="those in points whose mean is drawn")
    parser.add_argument("--out", type=Path, nargs="+", required=True, help=".svg and .png files")
    arguments = parser.parse_args()

    with style.drawing():
        style.save(figure(read_table1(arguments.table), arguments.benchmarks), arguments.out)


if __name__ == "__main__":
    cli.run(main)
