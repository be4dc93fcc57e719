"""Responses and preference pairs in columns that the configuration names, and helpers shared with other formats."""

from collections.abc import Iterable, Iterator

from scripts.lib.config.sources import PairsSource, ResponseColumns, ResponsesSource
from scripts.lib.ids import Messages, normalise
from scripts.sources.records import Dropped, Record
from scripts.sources.rows import Row


def responses(rows: Iterable[Row], spec: ResponsesSource) -> Iterator[Record | Dropped]:
    """One response per row."""
    for row in rows:
        yield response(row, spec.columns)


def response(row: Row, columns: ResponseColumns) -> Record:
    return Record(
        row.messages(columns.prompt),
        row.text(columns.response),
        row.text(columns.generator) if columns.generator else "",
        {name: row.number(name) for name in columns.annotations},
    )


def pairs(rows: Iterable[Row], spec: PairsSource) -> Iterator[Record | Dropped]:
    """One preference pair per row. Annotations: ``preferred`` (1 chosen, 0 rejected), and ``score`` if given."""
    columns = spec.columns
    for row in rows:
        yield from pair(
            [conversation(row, columns.prompt, column) for column in (columns.chosen, columns.rejected)],
            scores=[
                {"score": row.number(column)} if column else {}
                for column in (columns.chosen_score, columns.rejected_score)
            ],
        )


def conversation(row: Row, prompt_column: str, column: str) -> tuple[Messages, str] | None:
    """(prompt, response) of one side of a pair; None if it does not end in an assistant turn.

    The side is the response's text, or messages: the whole conversation, or only its last turn, which then continues
    the content of ``prompt_column``.
    """
    if not isinstance(row.value(column), list):
        return row.messages(prompt_column), row.text(column)
    turns = row.messages(column)
    if not turns or turns[-1]["role"] != "assistant":
        return None
    before = turns[:-1] if len(turns) > 1 else row.messages(prompt_column)
    return before, turns[-1]["content"]


def pair(
    sides: list[tuple[Messages, str] | None],
    scores: list[dict[str, float | None]],
    generators: tuple[str, str] = ("", ""),
) -> Iterator[Record | Dropped]:
    """The two responses of a pair, chosen first; neither if the two express no preference.

    Without known generators both are under the source's name: the generator must not reveal which response won.
    """
    if None in sides:
        yield Dropped("not_assistant_reply", 2)
        return
    (prompt, chosen), (rejected_prompt, rejected) = sides
    if prompt != rejected_prompt:
        yield Dropped("prompts_differ", 2)
    elif normalise(chosen) == normalise(rejected):
        yield Dropped("chosen_equals_rejected", 2)
    else:
        for text, score, generator, preferred in zip((chosen, rejected), scores, generators, (1.0, 0.0), strict=True):
            yield Record(prompt, text, generator, {**score, "preferred": preferred})
