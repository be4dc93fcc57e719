"""What a claim is: a sentence of a paper as a statistic with an interval and a verdict. The schema of claims.csv."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, get_args

import pandas as pd

from scripts.lib.csv_files import write_csv
from scripts.lib.errors import InputError

Verdict = Literal["holds", "fails", "undecided", "beyond"]
VERDICTS: tuple[str, ...] = get_args(Verdict)
Interval = tuple[float, float]


@dataclass(frozen=True)
class Claim:
    """One sentence of a paper as a statistic. The fields are the columns of claims.csv.

    published: the same statistic computed from the paper's own numbers; None if the paper has none.
    """

    study: str
    claim: str
    statement: str
    finding: str
    published: float | None
    measured: float
    ci_low: float
    ci_high: float
    smallest: float
    n_seeds: int
    n_draws: int
    kind: str
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
    if list(table) != COLUMNS or not table["verdict"].isin(VERDICTS).all():
        raise InputError(path, f"is no table of claims: {', '.join(table)}", "delete it and run snakemake again")
    return table
