"""Table 5 of "What Matters in Data for DPO?" (Appendix B.1): the distribution of scores in each pairs dataset.

One row for the chosen and one for the rejected responses of every dataset, with the published value of each statistic
next to ours. `std` is the sample standard deviation (n - 1); quantiles are interpolated. Published scores are those of
the paper's reward model: another scorer has other units.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from scripts.lib.names import PairsName, add_names, name_of
from scripts.lib.schemas import PAIRS
from scripts.lib.tables import read_table
from scripts.studies.files import read_published

STATISTICS = {
    "mean": np.mean,
    "std": lambda scores: np.std(scores, ddof=1) if len(scores) > 1 else None,
    "min": np.min,
    "25%": lambda scores: np.quantile(scores, 0.25),
    "median": np.median,
    "75%": lambda scores: np.quantile(scores, 0.75),
    "max": np.max,
}
KEY = ("dataset", "chosen", "rejected", "on_policy", "side")
COLUMNS = [*KEY, "pairs", *(name + suffix for name in STATISTICS for suffix in ("", "_published"))]


def statistics(
    pairs: pd.DataFrame, name: PairsName, published: dict[tuple[str, ...], dict[str, float]]
) -> list[dict[str, object]]:
    """The two rows, chosen and rejected, of one pairs dataset."""
    rows = []
    for side in ("chosen", "rejected"):
        scores = pairs[f"{side}_score"].to_numpy()
        at = (name.dataset, name.chosen, name.rejected, name.on_policy, side)
        row: dict[str, object] = dict(zip(KEY, at, strict=True)) | {"pairs": len(scores)}
        for statistic, function in STATISTICS.items():
            row[statistic] = function(scores)
            row[f"{statistic}_published"] = published.get(at, {}).get(statistic)
        rows.append(row)
    return rows


def main() -> None:
    parser = cli.parser_of("studies.what_matters.tables.table5", __doc__)
    parser.add_argument("--pairs", type=Path, nargs="+", required=True, help="pairs datasets, in the rows' order")
    add_names(parser)
    parser.add_argument("--published", type=Path, required=True, help="the paper's Table 5 as CSV")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    published = read_published(arguments.published, KEY)
    rows: list[dict[str, object]] = []
    for path in arguments.pairs:
        name = name_of(path, path.name.removesuffix(".parquet"), arguments.names)
        rows += statistics(read_table(path, PAIRS), name, published)
    write_csv(rows, COLUMNS, arguments.out)


if __name__ == "__main__":
    cli.run(main)
