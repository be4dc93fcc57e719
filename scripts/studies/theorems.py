"""The rows of theory.csv: quantities of the paper's statements over seeds, and the rule by which they are judged.

A quantity is one number per seed, computed over that seed's instances. A row

- `holds` if the quantity agrees with the prediction, within the tolerance, at every seed;
- `fails` if it does so at no seed;
- is `undecided` if the seeds differ;
- is `beyond`, whatever was measured, if the paper does not claim the statement: a limit of what it says.

A statement fails if one of its rows fails, is undecided if one is undecided, and holds if all hold.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median
from typing import Literal, get_args

import pandas as pd

from scripts.lib.claims import VERDICTS, Verdict
from scripts.lib.csv_files import write_csv
from scripts.lib.errors import InputError

Relation = Literal["within", "above"]
DECIMALS = 12
"""Decimal places in theory.csv: finer than every tolerance, coarser than rounding."""


@dataclass(frozen=True)
class Quantity:
    """What a statement implies of a number, and the number over the seeds.

    relation: `within` the tolerance of the predicted number, inclusive; or strictly `above` it (tolerance 0).
    smallest, median, largest: over the seeds. agreeing: how many of them are as predicted.
    """

    quantity: str
    relation: Relation
    predicted: float
    tolerance: float
    smallest: float
    median: float
    largest: float
    n_seeds: int
    agreeing: int


def within(tolerance: float, of: float, quantity: str, values: Iterable[float]) -> Quantity:
    """A quantity that the statement says is ``of``. values: one per seed."""
    found = [float(value) for value in values]
    agreeing = sum(abs(value - of) <= tolerance for value in found)
    return Quantity(quantity, "within", of, tolerance, min(found), median(found), max(found), len(found), agreeing)


def above(bound: float, quantity: str, values: Iterable[float]) -> Quantity:
    """A quantity that the statement says is larger than ``bound``. values: one per seed."""
    found = [float(value) for value in values]
    agreeing = sum(value > bound for value in found)
    return Quantity(quantity, "above", bound, 0.0, min(found), median(found), max(found), len(found), agreeing)


@dataclass(frozen=True)
class Row(Quantity):
    """A quantity of a statement, and its verdict."""

    statement: str
    finding: str
    verdict: Verdict


COLUMNS = ["statement", "finding", *(field.name for field in fields(Quantity)), "verdict"]
NUMBERS, COUNTS = ["predicted", "tolerance", "smallest", "median", "largest"], ["n_seeds", "agreeing"]


@dataclass(frozen=True)
class Statement:
    """A sentence of the paper, in one reading.

    says: "<place in the paper>[, <reading>]: <what it says>".
    finding: what was assumed, what was found, and what stands. A format string over the statement's quantities:
    `{0.median:.2f}` is the median of its first.
    claimed: whether the paper claims it.
    """

    says: str
    finding: str
    claimed: bool = True

    def rows(self, *quantities: Quantity) -> list[Row]:
        """The rows, in this order: of those that decide the verdict, the first speaks for the statement."""
        finding = self.finding.format(*quantities).replace("%", " %")
        return [
            Row(**asdict(each), statement=self.says, finding=finding, verdict=self.judge(each)) for each in quantities
        ]

    def judge(self, quantity: Quantity) -> Verdict:
        if not self.claimed:
            return "beyond"
        return "holds" if quantity.agreeing == quantity.n_seeds else "undecided" if quantity.agreeing else "fails"


def by_statement(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each statement, in the table's order."""
    return {says: [row for row in rows if row.statement == says] for says in dict.fromkeys(r.statement for r in rows)}


def verdict_of(rows: Sequence[Row]) -> Verdict:
    """The verdict of a statement with these rows."""
    found = {row.verdict for row in rows}
    return next(verdict for verdict in ("beyond", "fails", "undecided", "holds") if verdict in found)


def judged(rows: Sequence[Row]) -> list[tuple[str, Verdict, list[Row]]]:
    """(statement, its verdict, its rows), in the table's order."""
    return [(says, verdict_of(own), own) for says, own in by_statement(rows).items()]


def write_theory(rows: Sequence[Row], path: Path) -> None:
    """Write theory.csv, one row per quantity, atomically."""
    write_csv([asdict(row) for row in rows], COLUMNS, path, DECIMALS)


def read_theory(path: Path) -> list[Row]:
    """Read theory.csv and check it."""
    remedy = "delete it and run snakemake again"
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(path, f"not readable as CSV ({error})", remedy) from error
    if list(table) != COLUMNS:
        raise InputError(path, f"has the columns {', '.join(table)}, not {', '.join(COLUMNS)}", remedy)
    rows = []
    for line, row in enumerate(table.to_dict("records"), start=2):
        where = f"{path}, line {line}"
        try:
            numbers = {name: float(row[name]) for name in NUMBERS} | {name: int(row[name]) for name in COUNTS}
        except ValueError as error:
            raise InputError(where, str(error), remedy) from error
        if table.loc[line - 2].isna().any():
            raise InputError(where, "a blank", remedy)
        if row["verdict"] not in VERDICTS or row["relation"] not in get_args(Relation):
            raise InputError(where, f'is judged "{row["relation"]}" and "{row["verdict"]}"', remedy)
        rows.append(Row(**{**row, **numbers}))
    return rows
