"""Table 1 of "What Matters in Data for DPO?" (section 5.2): the quality of chosen and of rejected responses."""

from scripts.lib import cli
from scripts.studies.files import read_published, write_csv
from scripts.studies.what_matters import layout, measured

KEY = ("dataset", "chosen", "rejected")


def main() -> None:
    arguments = measured.arguments_of("scripts.studies.what_matters.table1", __doc__)
    benchmarks = arguments.spec.benchmarks
    published = read_published(arguments.published, KEY)
    rows = [
        measured.cells(row, benchmarks, arguments.evaluations, published)
        for row in layout.table1(arguments.spec, arguments.pairs)
    ]
    write_csv(rows, [*KEY, "n_seeds", *measured.columns(benchmarks)], arguments.out)


if __name__ == "__main__":
    cli.run(main)
