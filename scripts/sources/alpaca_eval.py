"""AlpacaEval's model outputs: instruction, output, generator, and a judge's preference if the file has one."""

from collections.abc import Iterable, Iterator

from scripts.lib.config.sources import ResponseColumns
from scripts.sources.generic import response
from scripts.sources.records import Record
from scripts.sources.rows import Row


def records(rows: Iterable[Row]) -> Iterator[Record]:
    """One output per row."""
    for row in rows:
        columns = ResponseColumns(
            prompt="instruction",
            response="output",
            generator="generator" if row.has("generator") else None,
            annotations=["preference"] if row.has("preference") else [],
        )
        yield response(row, columns)
