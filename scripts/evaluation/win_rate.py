"""Command: win rates of any number of models from a file of AlpacaEval annotations.

Columns read: index (the instruction's position in the reference, from 0), model, len_output_1 and len_output_2
(characters, of the reference and of the model), preference (1 to 2; blank if the judge gave none), and, if the file
has it, row (the row's position among its model's own annotations, from 0).

Columns written, one row per model: model; win_rate, in points; lc_win_rate, the length-controlled win rate with the
instruction identified by its ``index``; lc_win_rate_as_published, the same with ``row`` in place of the index; n, the
number of preferences.

The package identifies an annotation's instruction by the annotation's position. If a model's third annotation is
missing, the fourth instruction's preference takes third place, is matched with the third's difficulty, and so on
to the end; the predictions at equal lengths use the first n difficulties. The public leaderboard was computed that way:
``lc_win_rate_as_published`` is its number, ``lc_win_rate`` the right one. They are equal if no row is missing.

A model whose outputs all have the reference's lengths and whose preferences are draws or blank is the reference itself,
a line of every board: both rates are 50 by definition.
"""

import argparse
import logging
from pathlib import Path

import pandas as pd

from scripts.evaluation.control_files import LengthControl, published
from scripts.evaluation.local_judges import quieten
from scripts.evaluation.rates import win_rates_of
from scripts.evaluation.rows import read_rows
from scripts.lib import cli
from scripts.lib.errors import InputError
from scripts.lib.tables import write_text

log = logging.getLogger(__name__)

INDEX = "an instruction's place in the reference: 0, 1, 2, ..."
ROW = "an annotation's place among its model's: 0, 1, 2, ..., or leave the column out"
LENGTH = "an output's length in characters"
PREFERENCE = "1 (the reference's output) to 2 (the model's), 1.5 a draw, blank where the judge gave none"


def read_annotations(path: Path) -> pd.DataFrame:
    """index, row (NaN if unknown), model, reference_length, length, preference (NaN if there is none).

    Raises InputError if there are no rows, if a column or a value does not match the module's docstring, or if a model
    has two annotations with the same index or the same row.
    """
    raw = pd.DataFrame(read_rows(path)).astype(object)
    raw = raw.mask(raw.isna() | (raw == ""), None)
    needed = ["index", "model", "len_output_1", "len_output_2", "preference"]
    if absent := [column for column in needed if column not in raw]:
        raise InputError(path, f"has no column {', '.join(absent)}", f"its columns are to be {', '.join(needed)}")
    if raw["model"].isna().any():
        raise InputError(f"{path}, row {int(raw['model'].isna().argmax())}", "names no model", "name the model")
    raw["model"] = raw["model"].astype(str)
    table = pd.DataFrame(
        {
            "index": _numbers(raw, "index", path, INDEX).astype(int),
            "row": _numbers(raw, "row", path, ROW, gaps=True) if "row" in raw else float("nan"),
            "model": raw["model"],
            "reference_length": _numbers(raw, "len_output_1", path, LENGTH).astype(int),
            "length": _numbers(raw, "len_output_2", path, LENGTH).astype(int),
            "preference": _numbers(raw, "preference", path, PREFERENCE, gaps=True, low=1, high=2, whole=False),
        }
    )
    for column in ("index", "row"):
        repeated = table.duplicated(["model", column]) & table[column].notna()
        if repeated.any():
            model, value = table.loc[repeated.idxmax(), ["model", column]]
            problem = f"model {model} has two annotations of {column} {int(value)}"
            raise InputError(path, problem, f"keep one annotation for each model and {column}")
    return table


def _numbers(
    raw: pd.DataFrame,
    column: str,
    path: Path,
    meaning: str,
    *,
    gaps: bool = False,
    low: float = 0,
    high: float = 1e9,
    whole: bool = True,
) -> pd.Series:
    """A column as floats; raises InputError at the first value that is not a number from low to high."""
    given = raw[column]
    values = pd.to_numeric(given, errors="coerce").astype(float)
    fits = values.between(low, high) & ((values % 1 == 0) | (not whole))
    wrong = ~fits & ~(given.isna() & gaps)
    if wrong.any():
        at = int(wrong.argmax())
        where = f"{path}, row {at} (model {raw['model'][at]}, index {raw['index'][at]})"
        problem = f"{column} is {'missing' if given.isna()[at] else given[at]}"
        raise InputError(where, problem, f"{column} is to be {meaning}")
    return values


def win_rate_table(annotations: pd.DataFrame, control: LengthControl) -> pd.DataFrame:
    """One row per model, by name: model, win_rate, lc_win_rate, lc_win_rate_as_published (NaN without rows), n.

    Raises InputError for a model with fewer than five preferences, or with length differences from the reference that
    are all equal, and for an index or a row without a known difficulty.
    """
    tables = {}
    for model, own in annotations.groupby("model"):
        tables[f"model {model}"] = own.sort_values("index", ignore_index=True)
        if own["row"].notna().all() and not (own["row"] == own["index"]).all():
            by_row = own.assign(index=own["row"].astype(int))
            tables[f"model {model}, its rows"] = by_row.sort_values("index", ignore_index=True)
    found = {where: rates.metrics for where, rates in win_rates_of(tables, control).items()}
    rows = []
    for model, own in annotations.groupby("model"):
        right = found[f"model {model}"]
        as_published = found.get(f"model {model}, its rows", right)["length_controlled_winrate"]
        rows.append(
            {
                "model": model,
                "win_rate": right["win_rate"],
                "lc_win_rate": right["length_controlled_winrate"],
                "lc_win_rate_as_published": as_published if own["row"].notna().all() else float("nan"),
                "n": int(right["n"]),
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    parser = cli.parser_of("scripts.evaluation.win_rate", __doc__)
    parser.add_argument("--annotations", type=Path, required=True, help="Parquet, CSV, JSON or JSON Lines")
    parser.add_argument("--difficulty", type=Path, help="instruction_difficulty.csv of the hub, when offline")
    parser.add_argument("--gamed", type=Path, help="df_gamed.csv of the hub, when offline")
    parser.add_argument("--out", type=_csv, required=True)
    arguments = parser.parse_args()
    quieten()

    annotations = read_annotations(arguments.annotations)
    table = win_rate_table(annotations, published(arguments.gamed, arguments.difficulty))
    write_text(table.to_csv(index=False), arguments.out)
    unknown = table.loc[table["lc_win_rate_as_published"].isna(), "model"]
    if len(unknown):
        names = "all models" if len(unknown) == len(table) else ", ".join(unknown)
        log.info("lc_win_rate_as_published is blank for %s: the file does not say the row of each annotation", names)
    for row in table[table["lc_win_rate"] != table["lc_win_rate_as_published"]].dropna().itertuples():
        log.info(
            "%s: its rows are not its instructions' places: %.2f by instruction, %.2f as published",
            *(row.model, row.lc_win_rate, row.lc_win_rate_as_published),
        )
    log.info("%s: %d models", arguments.out, len(table))


def _csv(text: str) -> Path:
    if not text.endswith(".csv"):
        raise argparse.ArgumentTypeError(f"{text} does not end in .csv")
    return Path(text)


if __name__ == "__main__":
    cli.run(main)
