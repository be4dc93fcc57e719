"""Code shared by Tables 1 to 4: the measured numbers of a row, with the published ones.

A value is the mean over draws of the data and seeds; `<benchmark>_se` is its standard error over questions and over
draws, or seeds where there is one draw (scripts/studies/statistics/components.py, `standard_error`). It is the policy's
own, from its few runs alone, with no t factor in it: ±1.96 of it covers the truth in 81 to 97 of 100 studies. Rows
share their questions and draws, so that two standard errors do not add up to that of a difference;
`<benchmark>_gain_se` is that of its gain over the row that its table compares with (the baseline, or the data without
on-policy samples), questions paired. Claims have intervals that do both (docs/statistics.md). `<benchmark>_published`
is the paper's number, blank if the paper has none. All in points, 0 to 100.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from scripts.lib import cli
from scripts.lib.config.pairs import PairsSpec
from scripts.lib.csv_files import write_csv
from scripts.lib.errors import InputError
from scripts.lib.schemas import PAIRS
from scripts.lib.tables import read_table
from scripts.studies.files import read_published, read_repeats
from scripts.studies.statistics.components import standard_error, units_of
from studies.what_matters.config import Config
from studies.what_matters.layout import Row

REPEATS = ("n_seeds", "n_draws")
"""Columns: seeds on each draw, and draws of the data."""
MEASURED = ("", "_se", "_published")
GAINED = ("", "_se", "_gain_se", "_published")
Published = dict[tuple[str, ...], dict[str, float]]


def cells(
    row: Row,
    benchmarks: Sequence[str],
    draws: int,
    evaluations: Path,
    published: Published,
    over: Row | None = None,
) -> dict[str, object]:
    """The row's labels, its seeds and draws, and every benchmark's value, standard error and published value.

    over: the row over which it gains; that row itself gains nothing.
    """
    found: dict[str, object] = {**row.labels}
    for benchmark in benchmarks:
        values = read_repeats(evaluations, row.runs, benchmark, draws)
        found |= dict(zip(REPEATS, (values.shape[1], values.shape[0]), strict=True))
        found[benchmark] = values.mean()
        found[f"{benchmark}_se"] = standard_error(units_of(values))
        if over is not None:
            gain = values - read_repeats(evaluations, over.runs, benchmark, draws)
            found[f"{benchmark}_gain_se"] = None if row == over else standard_error(units_of(gain))
        found[f"{benchmark}_published"] = published.get(row.published, {}).get(benchmark)
    return found


def write_rows(arguments: argparse.Namespace, rows: Sequence[Row], key: Sequence[str]) -> None:
    """Write a table that has only its rows' labels (the ``key`` columns) and their cells; its first is the baseline."""
    spec = arguments.spec
    published = read_published(arguments.published, key)
    table = [cells(row, spec.benchmarks, spec.draws, arguments.evaluations, published, rows[0]) for row in rows]
    write_csv(table, [*key, *REPEATS, *columns(spec.benchmarks, GAINED)], arguments.out)


def columns(benchmarks: Sequence[str], suffixes: Sequence[str] = MEASURED) -> list[str]:
    """The columns of the benchmarks."""
    return [f"{benchmark}{suffix}" for benchmark in benchmarks for suffix in suffixes]


def mean_scores(paths: Sequence[Path], dataset: str | None) -> dict[str, float]:
    """mean_chosen and mean_gap of a pairs dataset, from the file among ``paths`` that is named after it."""
    for path in paths:
        if path.name == f"{dataset}.parquet":
            pairs = read_table(path, PAIRS)
            gap = pairs["chosen_score"] - pairs["rejected_score"]
            return {"mean_chosen": float(pairs["chosen_score"].mean()), "mean_gap": float(gap.mean())}
    raise InputError("--pairs-tables", f"has no {dataset}.parquet", "give the pairs of every row")


def arguments_of(step: str, doc: str | None, *, with_pairs: bool = False) -> argparse.Namespace:
    """The command line of a table."""
    parser = cli.parser_of(step, doc)
    parser.add_argument("--spec", type=cli.spec_of(Config), required=True, help="JSON of the study")
    parser.add_argument(
        "--pairs", type=cli.spec_of(dict[str, PairsSpec]), required=True, help="JSON: the pairs entries, by name"
    )
    parser.add_argument("--evaluations", type=Path, required=True, help="folder of <policy>/<suite>.json")
    parser.add_argument("--published", type=Path, required=True, help="the paper's table as CSV")
    if with_pairs:
        parser.add_argument("--pairs-tables", type=Path, nargs="+", required=True, help="the rows' pairs datasets")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()
