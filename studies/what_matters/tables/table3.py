"""Table 3 of "What Matters in Data for DPO?" (section 5.3): chosen quality against the size of the gap.

Two rows per comparison, as the paper prints them; the first has its gain over the second in the headline benchmark, in
points, with the standard error over seeds and questions, where each question is paired with itself.
"""

from pathlib import Path

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from scripts.studies.files import read_published, read_runs
from scripts.studies.statistics import standard_error
from studies.what_matters import layout
from studies.what_matters.layout import Row
from studies.what_matters.tables import measured

KEY = ("configuration",)
SCORES = ("mean_chosen", "mean_gap")
GAIN = ("gain", "gain_se", "gain_published")


def gain(first: Row, second: Row, benchmark: str, evaluations: Path, published: measured.Published) -> dict:
    """The gain of the first row's runs over the second's."""
    ours = [read_runs(evaluations, row.runs, benchmark) for row in (first, second)]
    theirs = [published.get(row.published, {}).get(benchmark) for row in (first, second)]
    difference = ours[0] - ours[1]
    return {
        "gain": difference.mean(),
        "gain_se": standard_error(difference),
        "gain_published": None if None in theirs else theirs[0] - theirs[1],
    }


def main() -> None:
    arguments = measured.arguments_of("studies.what_matters.tables.table3", __doc__, with_pairs=True)
    spec = arguments.spec
    published = read_published(arguments.published, KEY)
    layout_rows = layout.table3(spec, arguments.pairs)
    rows = []
    for at, row in enumerate(layout_rows):
        cells = measured.cells(row, spec.benchmarks, arguments.evaluations, published) | dict.fromkeys(GAIN)
        for name, value in measured.mean_scores(arguments.pairs_tables, row.pairs).items():
            cells |= {name: value, f"{name}_published": published.get(row.published, {}).get(name)}
        if at % 2 == 0:
            cells |= gain(row, layout_rows[at + 1], spec.headline, arguments.evaluations, published)
        rows.append(cells)
    scores = [f"{name}{suffix}" for name in SCORES for suffix in ("", "_published")]
    columns = ["part", *KEY, *measured.REPEATS, *scores, *measured.columns(spec.benchmarks), *GAIN]
    write_csv(rows, columns, arguments.out)


if __name__ == "__main__":
    cli.run(main)
