"""Reads a study's CSV tables (results/tables/<study>/*.csv) for its figures and its section of the page.

A column ``x`` may have companions ``x_se``, its standard error, and ``x_published``, the paper's number.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_bool_dtype, is_integer_dtype, is_numeric_dtype

from scripts.lib.csv_files import DECIMALS
from scripts.lib.errors import InputError
from scripts.report.labels import benchmark

TWINS = ("_se", "_published")
HEADINGS = {"n_seeds": "seeds", "n_draws": "draws"}


@dataclass(frozen=True)
class Cell:
    """A number with its companions (None if missing), shown with ``places`` decimals."""

    value: float | None
    se: float | None = None
    published: float | None = None
    places: int = 1


@dataclass(frozen=True)
class Row:
    """A row's labels and numbers. Adjacent rows of one group share a heading; a row without a group is on its own."""

    labels: list[str]
    cells: list[Cell]
    group: str = ""


@dataclass(frozen=True)
class Table:
    """A table as shown on the page: headings of labels and of numbers, and the rows."""

    labels: list[str]
    columns: list[str]
    rows: list[Row]

    @property
    def published(self) -> list[bool]:
        """For each column of numbers, whether any of it was published."""
        return [any(row.cells[at].published is not None for row in self.rows) for at in range(len(self.columns))]


def read_rows(path: Path, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table, which must have rows and these columns."""
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(path, f"not readable as CSV ({error})", "delete it and run snakemake again") from error
    if absent := [column for column in columns if column not in table]:
        raise InputError(path, f"has no column {', '.join(absent)}", "delete it and run snakemake again")
    if table.empty:
        raise InputError(path, "has no rows", "delete it and run snakemake again")
    return table


def measured_in(table: pd.DataFrame) -> list[str]:
    """The columns with a standard error: benchmarks, and quantities computed from them."""
    return [column for column in table if f"{column}_se" in table]


def table_of(path: Path, hidden: Sequence[str] = ()) -> Table:
    """Any table: text columns are labels; numbers follow in the file's order, each with its companions.

    hidden: endings of columns that are not shown.
    """
    frame = read_rows(path)
    frame = frame[[column for column in frame if not column.endswith(tuple(hidden))]]
    columns = [c for c in frame if not any(c.endswith(twin) and c.removesuffix(twin) in frame for twin in TWINS)]
    numbers = [c for c in columns if is_numeric_dtype(frame[c]) and not is_bool_dtype(frame[c])]
    labels = [c for c in columns if c not in numbers]
    places = {c: 0 if is_integer_dtype(frame[c]) else places_for(frame[c]) for c in numbers}
    rows = [
        Row([text_of(row[c]) for c in labels], [cell for c in numbers for cell in cells_of(row, [c], places[c])])
        for row in frame.to_dict("records")
    ]
    return Table([heading(c) for c in labels], [heading(c) for c in numbers], rows)


def cells_of(row: Mapping[str, Any], columns: Iterable[str], places: int = 1) -> list[Cell]:
    """The numbers of some columns in one row of a table."""
    return [Cell(known(row[each]), *(known(row.get(f"{each}{twin}")) for twin in TWINS), places) for each in columns]


def known(value: Any) -> Any:
    """The value, or None if it is blank in the CSV file."""
    return None if pd.isna(value) else value


def text_of(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


def heading(column: str) -> str:
    """The heading of a column on the page."""
    return HEADINGS.get(column, benchmark(column).replace("_", " "))


def places_for(values: Iterable[float]) -> int:
    """Decimals that show the largest number to three figures: at least one, at most as many as tables store."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    return max(1, min(DECIMALS, 2 - math.floor(math.log10(largest)))) if largest else 1
