"""Responses and preference pairs in columns that the configuration names, and what other formats share with them."""

from collections.abc import Iterable, Iterator

from scripts.lib.config.sources import PairsSource, ResponseColumns, ResponsesSource
from scripts.lib.ids import normalise
from scripts.sources.conversations import Side, side_of
from scripts.sources.records import Dropped, Record
from scripts.sources.row import Row


def responses(rows: Iterable[Row], spec: ResponsesSource) -> Iterator[Record | Dropped]:
    """One response per row."""
    for row in rows:
        yield response(row, spec.columns)


def response(row: Row, columns: ResponseColumns) -> Record | Dropped:
    side = side_of(row, columns.response, columns)
    if isinstance(side, str):
        return Dropped(side)
    return Record(
        *side,
        row.text(columns.generator) if columns.generator else "",
        {name: row.number(name) for name in columns.annotations},
    )


def pairs(rows: Iterable[Row], spec: PairsSource) -> Iterator[Record | Dropped]:
    """One preference pair per row. Annotations: ``preferred`` (1 chosen, 0 rejected), and ``score`` if given."""
    columns = spec.columns
    for row in rows:
        yield from pair(
            [side_of(row, column, columns) for column in (columns.chosen, columns.rejected)],
            scores=[
                {"score": row.number(column)} if column else {}
                for column in (columns.chosen_score, columns.rejected_score)
            ],
        )


def pair(
    sides: list[Side | str],
    scores: list[dict[str, float | None]],
    generators: tuple[str, str] = ("", ""),
    preferred: tuple[float, float] = (1.0, 0.0),
) -> Iterator[Record | Dropped]:
    """The two responses of a pair, chosen first; neither if the two express no preference.

    Without known generators both are under the source's name: the generator must not reveal which response won.
    """
    if reasons := [side for side in sides if isinstance(side, str)]:
        yield Dropped(reasons[0], 2)
        return
    (prompt, chosen), (rejected_prompt, rejected) = sides
    if prompt != rejected_prompt:
        yield Dropped("prompts_differ", 2)
    elif normalise(chosen) == normalise(rejected):
        yield Dropped("chosen_equals_rejected", 2)
    else:
        for text, score, generator, won in zip((chosen, rejected), scores, generators, preferred, strict=True):
            yield Record(prompt, text, generator, {**score, "preferred": won})
