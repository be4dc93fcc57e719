"""Makes a dataset of another one by leaving out the pairs of a list, such as preflight's, and counts them by reason."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scripts.lib import cli
from scripts.lib.config.pairs import WithoutPairs
from scripts.lib.errors import InputError
from scripts.lib.schemas import DROP, PAIRS
from scripts.lib.tables import read_table, write_json, write_table

IDS = ["prompt_id", "chosen_id", "rejected_id"]


def without(pairs: pd.DataFrame, drop: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """The pairs that are not in the list, in their order, and the number of those that are, by reason.

    pairs: PAIRS. drop: DROP; a pair of the list that the dataset does not have is counted as ``not_in_dataset``.
    """
    reasons = pairs[IDS].merge(drop, on=IDS, how="left")["reason"]
    counts = {str(reason): int(count) for reason, count in reasons.value_counts().sort_index().items()}
    counts["not_in_dataset"] = len(drop) - int(reasons.notna().sum())
    return pairs[reasons.isna().to_numpy()].reset_index(drop=True), counts


def read_list(path: Path) -> pd.DataFrame:
    """DROP, from a file of the workflow or of anybody; other columns are not read. Raises InputError if it is none."""
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(path, f"not a readable Parquet file ({error})", "give a list of pairs to drop") from error
    return DROP.validate(table.select([name for name in DROP.columns if name in table.column_names]), path).to_pandas()


def main() -> None:
    parser = cli.parser_of("scripts.pairs.without", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(WithoutPairs), required=True, help="JSON of the pairs entry")
    parser.add_argument("--pairs", type=Path, required=True, help="pairs of spec.base")
    parser.add_argument("--drop", type=Path, required=True, help="the list of spec.drop")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--card", type=Path, required=True)
    arguments = parser.parse_args()

    base = read_table(arguments.pairs, PAIRS)
    pairs, dropped = without(base, read_list(arguments.drop))
    if pairs.empty:
        raise InputError(arguments.drop, f"lists all {len(base)} pairs of {arguments.spec.base}", "drop fewer")
    write_table(pairs, arguments.out, PAIRS)
    write_json({**arguments.spec.model_dump(), "pairs": len(pairs), "dropped": dropped}, arguments.card)


if __name__ == "__main__":
    cli.run(main)
