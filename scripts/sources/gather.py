"""Reads rows of several stored tables in a given order, without holding the tables in memory."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from scripts.lib.tables import Schema, read_batches

BATCH = 512
"""Rows read, and rows given, at a time."""


def gathered(paths: Sequence[Path], schema: Schema, places: pd.DataFrame) -> Iterator[tuple[pa.Table, slice]]:
    """Parts of a table with the rows listed in ``places``, in that order, each with its slice of ``places``.

    places: (at, row): the index of a path in ``paths``, and of a row in its table. A table whose rows are requested in
    their own order is streamed; any other is read whole.
    """
    at, row = places["at"].to_numpy(), places["row"].to_numpy()
    readers = [_Rows(path, schema, row[at == place]) for place, path in enumerate(paths)]
    for start in range(0, len(places), BATCH):
        here = slice(start, start + BATCH)
        parts, order = [], []
        for place, reader in enumerate(readers):
            asked = np.flatnonzero(at[here] == place)
            parts.append(reader.take(row[here][asked]))
            order.append(asked)
        yield pa.concat_tables(parts).take(pa.array(np.argsort(np.concatenate(order)))), here


class _Rows:
    """Rows of one table by number, streamed if they are all requested in increasing order."""

    def __init__(self, path: Path, schema: Schema, rows: np.ndarray) -> None:
        self.forward = bool((np.diff(rows) > 0).all())
        batches = read_batches(path, schema, rows=BATCH)
        self.batches = batches if self.forward else iter([pa.concat_tables(batches)])
        self.held, self.start = schema.arrow.empty_table(), 0

    def take(self, rows: np.ndarray) -> pa.Table:
        found = [self.held.slice(0, 0)]
        while len(rows):
            here = rows < self.start + len(self.held)
            if here.any():
                found.append(self.held.take(pa.array(rows[here] - self.start)))
                rows = rows[~here]
            if len(rows):
                self.start += len(self.held)
                self.held = next(self.batches)
        return pa.concat_tables(found)
