"""Reads the preferences that came with a source: which of two responses to a prompt each row prefers.

Responses are identified by their ids, and are those that ``scripts.sources.load`` keeps. Rows are not merged: a prompt
has as many preferences as rows.
"""

import logging
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from scripts.lib import cli
from scripts.lib.config.sources import LabelledSource, SourceSpec
from scripts.lib.errors import InputError
from scripts.lib.schemas import PREFERENCES
from scripts.lib.tables import write_json, writing
from scripts.sources.load import records_of
from scripts.sources.records import Dropped, Record, identified
from scripts.sources.rows import file_names, read_rows

log = logging.getLogger(__name__)

PART = 1 << 14
"""Rows written at a time."""
NAMED = 10
"""Dropped rows that the card names, of each reason."""


class Preference(NamedTuple):
    """The content of a row; both scores, or none."""

    prompt_id: str
    chosen_id: str
    rejected_id: str
    chosen_score: float | None
    rejected_score: float | None


Side = tuple[Record, tuple[str, str] | Dropped]
"""A response of a pair, with its ids or with the reason why it is not kept."""


def preferences(records: Iterable[Record | Dropped], limit: int | None) -> Iterator[Preference | Dropped]:
    """One per row of the source, in order. ``limit``: prompts beyond this number are dropped, as ``load`` does."""
    prompts: set[str] = set()
    sides: list[Side] = []
    for record in records:
        if isinstance(record, Dropped):
            yield record
            continue
        ids = identified(record)
        if limit is not None and not isinstance(ids, Dropped):
            if ids[0] in prompts or len(prompts) < limit:
                prompts.add(ids[0])
            else:
                ids = Dropped("over_limit")
        if "preferred" in record.annotations:
            sides.append((record, ids))
        if len(sides) == 2:
            yield _preference(*sorted(sides, key=lambda side: -side[0].annotations["preferred"]))
            sides = []


def _preference(chosen: Side, rejected: Side) -> Preference | Dropped:
    if chosen[0].annotations["preferred"] == rejected[0].annotations["preferred"]:
        return Dropped("tie")
    for _, ids in (chosen, rejected):
        if isinstance(ids, Dropped):
            return ids
    scores = [record.annotations.get("score") for record, _ in (chosen, rejected)]
    if any(score is None or not math.isfinite(score) for score in scores):
        scores = [None, None]
    (of_prompt, chosen_id), (_, rejected_id) = chosen[1], rejected[1]
    return Preference(of_prompt, chosen_id, rejected_id, *scores)


def extract(name: str, spec: SourceSpec, out: Path) -> dict:
    """Write a source's preferences; returns its card, in which ``rows_read == pairs + sum(dropped.values())``.

    The card's ``dropped_rows`` has the first NAMED rows of each reason, counted from 0.
    Raises InputError if the rows of the source are not pairs, or none is left.
    """
    if not isinstance(spec, LabelledSource):
        raise InputError(
            f"source {name}",
            f"the rows of kind {spec.kind} express no preferences",
            "label pairs from sources of kind pairs, comparisons, ultrafeedback_binarized or hh_rlhf; "
            "of other sources make pairs by a scorer or a ranker",
        )
    dropped: Counter[str] = Counter()
    dropped_rows: dict[str, list[int]] = {}
    pairs = with_scores = 0
    with writing(out, PREFERENCES) as table:
        found = enumerate(preferences(records_of(read_rows(spec), spec), spec.limit))
        while part := list(islice(found, PART)):
            for row, each in part:
                if isinstance(each, Dropped):
                    dropped[each.reason] += 1
                    if dropped[each.reason] <= NAMED:
                        dropped_rows.setdefault(each.reason, []).append(row)
            kept = [(row, *each) for row, each in part if isinstance(each, Preference)]
            frame = pd.DataFrame(kept, columns=list(PREFERENCES.columns))
            table.write(frame)
            pairs += len(frame)
            with_scores += int(frame["chosen_score"].notna().sum())
        if not pairs:
            raise InputError(
                spec.path,
                f"none of {dropped.total()} rows prefers one response to another ({dict(dropped)})",
                "check that the source's kind and columns fit the data",
            )
    return {
        "source": name,
        "kind": spec.kind,
        "path": spec.path,
        "revision": spec.revision,
        "files": file_names(spec),
        "rows_read": pairs + dropped.total(),
        "pairs": pairs,
        "pairs_with_scores": with_scores,
        "dropped": dict(sorted(dropped.items())),
        "dropped_rows": dict(sorted(dropped_rows.items())),
    }


def main() -> None:
    parser = cli.parser_of("scripts.sources.preferences", __doc__)
    parser.add_argument("--name", required=True, help="the source's name in the configuration")
    parser.add_argument("--spec", type=cli.spec_of(SourceSpec), required=True, help="JSON of the sources entry")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--card", type=Path, required=True)
    arguments = parser.parse_args()

    card = extract(arguments.name, arguments.spec, arguments.out)
    write_json(card, arguments.card)
    log.info("%s: %d pairs, dropped %s", *(card[key] for key in ("source", "pairs", "dropped")))


if __name__ == "__main__":
    cli.run(main)
