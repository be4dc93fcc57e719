"""The rows of theory.csv, and the claims made from them, one per statement."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import pandas as pd

from scripts.lib.claims import Claim
from scripts.lib.errors import InputError
from studies.what_matters.layout import STUDY

INSTANCES = 20
"""The number of random instances on which every statement is checked."""


@dataclass(frozen=True)
class Row:
    """One quantity of a statement. The fields are the columns of theory.csv.

    statement: "<place in the paper>[, <reading>]: <what it says>".
    predicted: what the statement implies. tolerance: the largest distance of measured from it that agrees, inclusive.
    """

    statement: str
    quantity: str
    predicted: float
    measured: float
    tolerance: float

    @property
    def excess(self) -> float:
        """The distance from the prediction, in tolerances: more than one disagrees."""
        return abs(self.measured - self.predicted) / self.tolerance

    @property
    def holds(self) -> bool:
        return self.excess <= 1


COLUMNS = [field.name for field in fields(Row)]


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
        try:
            numbers = {name: float(row[name]) for name in COLUMNS[2:]}
        except ValueError as error:
            raise InputError(f"{path}, line {line}", str(error), remedy) from error
        if not all(map(pd.notna, row.values())) or numbers["tolerance"] <= 0:
            raise InputError(f"{path}, line {line}", "a blank, or a tolerance that is not positive", remedy)
        rows.append(Row(str(row["statement"]), str(row["quantity"]), **numbers))
    return rows


def theory_claims(rows: Sequence[Row]) -> list[Claim]:
    """One claim per statement, in the order of the rows: it holds if all of its quantities are within tolerance.

    measured, and published for the prediction, are those of the quantity farthest from its prediction in tolerances.
    Nothing is sampled from a policy, so the interval is the number itself; n_seeds counts the random instances.
    """
    claims = []
    for statement in dict.fromkeys(row.statement for row in rows):
        own = [row for row in rows if row.statement == statement]
        worst = max(own, key=lambda row: row.excess)
        found = "As stated" if worst.holds else "Not as stated"
        claims.append(
            Claim(
                study=STUDY,
                claim=f"theory.{slug(statement)}",
                statement=f"{statement} ({worst.quantity})",
                finding=f"{found}: {worst.quantity} is {worst.measured:.3g}, implied is {worst.predicted:.3g}.",
                published=worst.predicted,
                measured=worst.measured,
                ci_low=worst.measured,
                ci_high=worst.measured,
                smallest=None,
                n_seeds=INSTANCES,
                n_draws=1,
                kind="theorem",
                verdict="holds" if worst.holds else "fails",
            )
        )
    return claims


def slug(statement: str) -> str:
    """A claim's name, from the text before the statement's colon."""
    return re.sub(r"[^a-z0-9]+", "_", statement.partition(":")[0].lower()).strip("_")
