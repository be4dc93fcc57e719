"""Reads a source into tables of prompts, responses and annotations, and a card that counts what was dropped."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.lib import cli
from scripts.lib.config.sources import LabelledSource, SourceSpec, StoredSource
from scripts.lib.errors import InputError
from scripts.lib.schemas import ANNOTATIONS, PROMPTS, RESPONSES
from scripts.lib.tables import write_json, writing
from scripts.sources import alpaca_eval, comparisons, generic, hh_rlhf, open_assistant, ultrafeedback, world
from scripts.sources.records import Collection, Dropped, Record, Tables, whole
from scripts.sources.row import Account, Row, spelt
from scripts.sources.rows import file_names, read_rows

log = logging.getLogger(__name__)


WINNERS = ("winner", "label", "prefer", "better", "overall_preference", "choice", "verdict")
"""How columns that say which of two responses is better usually begin."""


class Counted:
    """An iterable of rows that counts how many were read, with the account of what they hold."""

    def __init__(self, rows: Iterable[Row], account: Account) -> None:
        self.rows, self.account = rows, account
        self.count = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self.rows:
            self.count += 1
            yield row


def records_of(rows: Iterable[Row], spec: SourceSpec) -> Iterator[Record | Dropped]:
    """A source's responses, by the rules of its format."""
    match spec.kind:
        case "ultrafeedback":
            return ultrafeedback.raw(rows)
        case "ultrafeedback_binarized":
            return ultrafeedback.binarized(rows)
        case "open_assistant":
            return open_assistant.records(rows, spec)
        case "hh_rlhf":
            return hh_rlhf.records(rows)
        case "alpaca_eval":
            return alpaca_eval.records(rows)
        case "responses":
            return generic.responses(rows, spec)
        case "pairs":
            return generic.pairs(rows, spec)
        case "comparisons":
            return comparisons.records(rows, spec)
        case "world":
            return world.records(rows, spec)


@contextmanager
def collected(name: str, spec: SourceSpec, folder: Path | None = None) -> Iterator[tuple[Collection, Counted]]:
    """All records of a source, and its rows; ``folder`` holds what does not fit in memory."""
    stored = isinstance(spec, StoredSource)
    account = Account()
    rows = Counted(read_rows(spec, account) if stored else world.rows(spec), account)
    least = spec.min_responses if spec.kind == "open_assistant" else 1
    split, limit = (spec.split, spec.limit) if stored else ("train", None)
    with Collection(name, split, least, limit, folder) as collection:
        collection.add(records_of(rows, spec))
        yield collection, rows


def load(name: str, spec: SourceSpec) -> tuple[Tables, dict]:
    """The tables and the card of a source whose text fits in memory."""
    with collected(name, spec) as (collection, rows):
        tables = whole(collection)
        return tables, card_of(name, spec, collection, rows)


def card_of(name: str, spec: SourceSpec, collection: Collection, rows: Counted) -> dict:
    """The source's card, once all parts of its tables are made. Raises InputError if nothing of the source is left.

    The card's ``dropped`` counts responses by reason, a row without responses as one:
    ``responses_read == responses + sum(dropped.values())``. Its ``files`` lists the files read from a folder,
    ``not_read`` each column that the source's format does not read with its rows, ``read_as`` what was read otherwise
    than it is written, and how often.
    """
    stored = isinstance(spec, StoredSource)
    counts = collection.counts()
    if not counts["prompts"]:
        raise InputError(
            spec.path if stored else name,
            f"none of {rows.count} rows gives a prompt with a response ({counts['dropped']})",
            "check that the source's kind, languages and min_responses fit the data",
        )
    card = {
        "source": name,
        "kind": spec.kind,
        "path": spec.path if stored else None,
        "revision": spec.revision if stored else None,
        "files": file_names(spec) if stored else [],
        "rows_read": rows.count,
    }
    found = {"not_read": rows.account.unread(), "read_as": dict(sorted(rows.account.notes.items()))}
    return {**card, **counts, **found, "warnings": list(warnings(spec, found["not_read"]))}


def warnings(spec: SourceSpec, not_read: Iterable[str]) -> Iterator[str]:
    """What the columns that nothing reads may mean for the preferences of a source."""
    if isinstance(spec, LabelledSource):
        for column in not_read:
            if spelt(column).startswith(WINNERS):
                yield (
                    f"column {column} may say which response won, and kind {spec.kind} does not read it: "
                    "if it does, use kind comparisons with this column as winner, or as one of its columns where "
                    "there is one per outcome"
                )


def main() -> None:
    parser = cli.parser_of("scripts.sources.load", __doc__)
    parser.add_argument("--name", required=True, help="the source's name in the configuration")
    parser.add_argument("--spec", type=cli.spec_of(SourceSpec), required=True, help="JSON of the sources entry")
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--responses", type=Path, required=True)
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--card", type=Path, required=True)
    arguments = parser.parse_args()

    name, spec = arguments.name, arguments.spec
    arguments.card.parent.mkdir(parents=True, exist_ok=True)
    with collected(name, spec, folder=arguments.card.parent) as (collection, rows):
        with (
            writing(arguments.prompts, PROMPTS) as prompts,
            writing(arguments.responses, RESPONSES) as responses,
            writing(arguments.annotations, ANNOTATIONS) as annotations,
        ):
            for part in collection.parts():
                prompts.write(part.prompts)
                responses.write(part.responses)
                annotations.write(part.annotations)
            card = card_of(name, spec, collection, rows)
        write_json(card, arguments.card)
    for warning in card["warnings"]:
        log.warning("%s: %s", name, warning)
    log.info(
        "%s: %d prompts, %d responses, dropped %s", *(card[k] for k in ("source", "prompts", "responses", "dropped"))
    )


if __name__ == "__main__":
    cli.run(main)
