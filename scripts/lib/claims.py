"""What a claim is: a sentence of a paper as a statistic with an interval and a verdict. The schema of claims.csv."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, get_args

import pandas as pd

from scripts.lib.csv_files import write_csv
from scripts.lib.errors import InputError

Verdict = Literal["holds", "fails", "undecided", "beyond"]
"""beyond: a limit that the paper does not claim; of theorems only."""
VERDICTS: tuple[str, ...] = get_args(Verdict)
Kind = Literal["finding", "theorem"]
KINDS: tuple[str, ...] = get_args(Kind)
Interval = tuple[float, float]


@dataclass(frozen=True)
class Claim:
    """One sentence of a paper as a statistic. The fields are the columns of claims.csv.

    finding: what was found, in the reader's words, with its numbers; written from the verdict. published: the same
    statistic computed from the paper's own numbers; None if the paper has none. smallest: the smallest effect, in the
    statistic's unit, that could have been decided with 80 % power; None for theorems, and where nothing was repeated.
    n_seeds: per draw of the data. kind: measured in training runs, or proved in the paper and checked here.
    """

    study: str
    claim: str
    statement: str
    finding: str
    published: float | None
    measured: float
    ci_low: float
    ci_high: float
    smallest: float | None
    n_seeds: int
    n_draws: int
    kind: Kind
    verdict: Verdict


COLUMNS = [field.name for field in fields(Claim)]


def write_claims(claims: Sequence[Claim], path: Path) -> None:
    """Write claims.csv, one row per claim, atomically."""
    write_csv([asdict(claim) for claim in claims], COLUMNS, path)


def read_claims(path: Path) -> pd.DataFrame:
    """Read claims.csv and check it."""
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(path, f"not readable as CSV ({error})", "delete it and run snakemake again") from error
    if list(table) != COLUMNS or not (table["verdict"].isin(VERDICTS) & table["kind"].isin(KINDS)).all():
        raise InputError(path, f"is no table of claims: {', '.join(table)}", "delete it and run snakemake again")
    return table
