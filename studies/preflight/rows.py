"""What is measured of every pair: one table per part, joined into one, and the list of pairs to drop.

A part writes ``results/preflight/<dataset>/<part>.parquet``: ``pair``, the row in the pairs table, 0, 1, 2, ... in that
order; columns of its own, named as no other part's; and ``drop``, a list of the reasons to drop the pair, mostly empty.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.errors import InputError
from scripts.lib.schemas import PAIRS
from scripts.lib.tables import read_table
from studies.preflight.measures import read_measures, write_frame

IDS = ["prompt_id", "chosen_id", "rejected_id"]


def joined(pairs: pd.DataFrame, parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """(pair, ids, every part's columns, drop): one row per pair; the reasons of all parts, those of the first first.

    pairs: PAIRS. Raises InputError if a part has other rows than the pairs, or two parts share a column.
    """
    found = pairs[IDS].reset_index(drop=True)
    found.insert(0, "pair", range(len(found)))
    reasons: list[list[str]] = [[] for _ in range(len(found))]
    for part in parts:
        if part["pair"].tolist() != found["pair"].tolist():
            raise InputError(
                "a part of preflight", "has other rows than the pairs", "delete it and run snakemake again"
            )
        own = part.drop(columns=["pair", "drop"])
        if shared := sorted(set(own) & set(found)):
            raise InputError("preflight", f"two parts measure {', '.join(shared)}", "rename the column in one of them")
        found = pd.concat([found, own.reset_index(drop=True)], axis=1)
        for all_of_pair, new in zip(reasons, part["drop"], strict=True):
            all_of_pair.extend(new)
    return found.assign(drop=reasons)


def to_drop(rows: pd.DataFrame) -> pd.DataFrame:
    """(ids, reason): the pairs with a reason to drop them; several reasons are one text, with semicolons."""
    dropped = rows.loc[rows["drop"].map(len) > 0, [*IDS, "drop"]]
    return dropped[IDS].assign(reason=dropped["drop"].map("; ".join)).reset_index(drop=True)


def main() -> None:
    parser = cli.parser_of("studies.preflight.rows", __doc__)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--parts", type=Path, nargs="+", required=True, help="<part>.parquet of every part")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--drop", type=Path, required=True, help="where the list of pairs to drop is written")
    arguments = parser.parse_args()

    rows = joined(read_table(arguments.pairs, PAIRS, IDS), [read_measures(path) for path in arguments.parts])
    write_frame(rows, arguments.out)
    write_frame(to_drop(rows), arguments.drop)


if __name__ == "__main__":
    cli.run(main)
