"""Two responses per row, and a column that says which of them won: Chatbot Arena, LLMBar, PandaLM, and the like."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from scripts.lib.config.sources import ComparisonsSource, Outcomes
from scripts.sources.conversations import side_of
from scripts.sources.generic import pair
from scripts.sources.records import Dropped, Record
from scripts.sources.row import Row, blank

TIE = 0.5
"""The annotation ``preferred`` of both responses of a tie: half a win each."""


def records(rows: Iterable[Row], spec: ComparisonsSource) -> Iterator[Record | Dropped]:
    """Annotation ``preferred``: 1 the winner, 0 the other, TIE for ties that are kept."""
    columns = spec.columns
    for row in rows:
        won = outcome(row, columns.winner, spec.outcomes)
        if won is None:
            yield Dropped("no_winner", 2)
        elif won == "tie" and spec.ties == "drop":
            yield Dropped("tie", 2)
        else:
            sides = [side_of(row, column, columns) for column in (columns.first, columns.second)]
            generators = [
                row.text(column) if column else "" for column in (columns.first_generator, columns.second_generator)
            ]
            turn = -1 if won == "second" else 1
            preferred = (TIE, TIE) if won == "tie" else (1.0, 0.0)
            yield from pair(sides[::turn], [{}, {}], tuple(generators[::turn]), preferred)


def outcome(row: Row, column: str, outcomes: Outcomes) -> Literal["first", "second", "tie"] | None:
    """What a row's winner column says; None if it is blank. Raises InputError for a value that is none of the named."""
    value = row.value(column)
    if blank(value):
        return None
    for name, values in outcomes.model_dump().items():
        if _spelt(value) in map(_spelt, values):
            return name
    row.refuse(
        column,
        value,
        f"one of the source's outcomes: {outcomes.model_dump()}",
        "add the value to first, second or tie in the source's outcomes, as the data's authors mean it",
    )


def _spelt(value: Any) -> str:
    """A value as a CSV has it: 1, 1.0 and "1" are one."""
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else text
