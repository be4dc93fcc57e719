"""AlpacaEval's model outputs: instruction, output, generator, and a judge's preference if the file has one.

AlpacaEval 1 writes a draw as the preference 0 (tatsu-lab/alpaca_eval issue 290); its own code reads that as 1.5, too.
"""

import math
from collections.abc import Iterable, Iterator

from scripts.lib.config.sources import ResponseColumns
from scripts.sources.generic import response
from scripts.sources.records import Dropped, Record
from scripts.sources.row import Row

DRAW = 1.5
"""Of preferences from 1 (the reference's output) to 2 (this one)."""


def records(rows: Iterable[Row]) -> Iterator[Record | Dropped]:
    """One output per row."""
    for row in rows:
        columns = ResponseColumns(
            prompt="instruction", response="output", generator="generator" if row.has("generator") else None
        )
        record = response(row, columns)
        if isinstance(record, Record) and row.has("preference"):
            record.annotations["preference"] = _preference(row)
        yield record


def _preference(row: Row) -> float | None:
    given = row.number("preference")
    if given == 0:
        row.account.notes[f"preference 0 as {DRAW}, a draw"] += 1
        return DRAW
    if given is not None and math.isfinite(given) and not 1 <= given <= 2:
        row.refuse("preference", given, "a preference: 1 (the reference's output) to 2 (this one), 0 or 1.5 a draw")
    return given
