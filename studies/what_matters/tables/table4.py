"""Table 4 of "What Matters in Data for DPO?" (section 5.3): on-policy samples mixed into offline data.

`on_policy` is the share of replaced pairs in percent; `mean_chosen` is the offline dataset's, as in the paper, which
names mixtures after it: the score of a mixture's own chosen responses is in Table 5.
"""

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from scripts.studies.files import read_published
from studies.what_matters import layout
from studies.what_matters.tables import measured

KEY = ("quality", "on_policy")


def main() -> None:
    arguments = measured.arguments_of("studies.what_matters.tables.table4", __doc__, with_pairs=True)
    spec = arguments.spec
    bases = {"high": spec.table4.high.base, "low": spec.table4.low.base}
    published = read_published(arguments.published, KEY)
    rows, unmixed = [], {}
    for row in layout.table4(spec, arguments.pairs):
        over = unmixed.setdefault(row.labels["quality"], row)  # the first of its quality
        scores = measured.mean_scores(arguments.pairs_tables, bases[row.labels["quality"]])
        rows.append(
            measured.cells(row, spec.benchmarks, spec.draws, arguments.evaluations, published, over)
            | {
                "mean_chosen": scores["mean_chosen"],
                "mean_chosen_published": published.get(row.published, {}).get("mean_chosen"),
            }
        )
    columns = [
        *KEY,
        *measured.REPEATS,
        "mean_chosen",
        "mean_chosen_published",
        *measured.columns(spec.benchmarks, measured.GAINED),
    ]
    write_csv(rows, columns, arguments.out)


if __name__ == "__main__":
    cli.run(main)
