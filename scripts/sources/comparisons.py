"""Two responses per row, and a column that says which of them won: Chatbot Arena, LLMBar, PandaLM, and the like."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from scripts.lib.config.sources import ComparisonsSource, Outcomes, WinnerColumns
from scripts.sources.conversations import side_of
from scripts.sources.generic import pair
from scripts.sources.records import Dropped, Record
from scripts.sources.row import Row, blank

TIE = 0.5
"""The annotation ``preferred`` of both responses of a tie: half a win each."""
MARKS = {"1": True, "true": True, "0": False, "false": False}
"""What a column of one outcome says -> whether that was the outcome."""

Outcome = Literal["first", "second", "tie"]


def records(rows: Iterable[Row], spec: ComparisonsSource) -> Iterator[Record | Dropped]:
    """Annotation ``preferred``: 1 the winner, 0 the other, TIE for ties that are kept."""
    columns = spec.columns
    for row in rows:
        marked = isinstance(columns.winner, WinnerColumns)
        won = marked_outcome(row, columns.winner) if marked else outcome(row, columns.winner, spec.outcomes)
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


def outcome(row: Row, column: str, outcomes: Outcomes) -> Outcome | None:
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


def marked_outcome(row: Row, columns: WinnerColumns) -> Outcome | None:
    """The outcome whose column is marked in a row; None if all are blank. Raises InputError unless exactly one is."""
    named = columns.model_dump(exclude_none=True)
    if all(blank(row.value(column)) for column in named.values()):
        return None
    marked = [name for name, column in named.items() if _is_marked(row, column)]
    if len(marked) != 1:
        row.refuse(
            columns.first,
            row.value(columns.first),
            f"one of {', '.join(named.values())} that alone is 1 or true: {len(marked)} of them are",
            "name the column of every outcome under winner (first, second, tie), or fix or remove the row",
        )
    return marked[0]


def _is_marked(row: Row, column: str) -> bool:
    value = row.value(column)
    if blank(value):
        return False
    mark = MARKS.get(_spelt(value))
    return row.refuse(column, value, "a mark: 1 or 0, true or false") if mark is None else mark


def _spelt(value: Any) -> str:
    """A value as a CSV has it: 1, 1.0 and "1" are one, and so are true and "True"."""
    text = str(value).strip()
    if text.lower() in ("true", "false"):
        return text.lower()
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else text
