"""Writing CSV tables of results: for people and for git, not as input of later steps."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.lib.tables import write_text

DECIMALS = 4
"""Decimal places in tables: far finer than any standard error, far coarser than floating-point rounding."""


def write_csv(rows: Sequence[dict[str, object]], columns: Sequence[str], path: Path, decimals: int = DECIMALS) -> None:
    """Write rows as CSV, numbers to ``decimals`` places, None as a blank."""
    frame = pd.DataFrame(
        [{name: _cell(row[name], decimals) for name in columns} for row in rows], columns=list(columns), dtype=object
    )
    write_text(frame.to_csv(index=False, lineterminator="\n"), path)


def _cell(value: object, decimals: int) -> object:
    return round(float(value), decimals) + 0.0 if isinstance(value, float | np.floating) else value
