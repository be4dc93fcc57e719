"""Looks at a file of pairs: what it is taken for, which columns are read, and what is odd about its first rows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from scripts.lib.config.sources import (
    ComparisonColumns,
    ComparisonsSource,
    HHSource,
    LabelledSource,
    Outcomes,
    PairColumns,
    PairsSource,
    StoredSource,
    UltraFeedbackBinarizedSource,
)
from scripts.lib.errors import InputError
from scripts.preflight import columns
from scripts.preflight.columns import one_of, two_of
from scripts.preflight.size import mean_bytes, rows_in
from scripts.sources.hh_rlhf import TURN
from scripts.sources.load import records_of
from scripts.sources.load import warnings as warnings_of
from scripts.sources.preferences import Preference, preferences
from scripts.sources.records import Dropped
from scripts.sources.row import Account, blank
from scripts.sources.rows import cells, read_rows
from scripts.sources.structure import structured

LOOKED = 200
"""Rows that are looked at."""
FIRST = ("model_a", "a", "response_a", "response_1", "response1", "output_1", "first", "left", "1")
SECOND = ("model_b", "b", "response_b", "response_2", "response2", "output_2", "second", "right", "2")
TIE = ("tie", "tie (bothbad)", "both", "equal", "neither", "same", "draw")


@dataclass(frozen=True)
class Look:
    """A file as it will be read. rows: how many it has, about; row_bytes: their mean size. read: its columns that are
    read. odd: sentences.
    """

    source: LabelledSource
    rows: int
    row_bytes: float
    read: Sequence[str]
    odd: Sequence[str]


def look(path: str, split: str = "train") -> Look:
    """What a file, a folder or a hub id is taken for. Raises InputError for one that holds no pairs."""
    first = [values for _, values in islice(cells(StoredSource(path=path, split=split)), LOOKED)]
    if not first:
        raise InputError(path, "holds no rows", "give a file of pairs")
    source = taken_for(path, split, first)
    account = Account()
    found = list(preferences(records_of(islice(read_rows(source, account), LOOKED), source), None))
    dropped = Counter(each.reason for each in found if isinstance(each, Dropped))
    if not any(isinstance(each, Preference) for each in found):
        raise InputError(
            path,
            f"taken for kind {source.kind}, and none of its first {len(first)} rows is a pair ({dict(dropped)})",
            "name its columns in a configuration of your own: docs/sources.md",
        )
    unread = list(account.unread())
    odd = [f"of its first {len(found)} rows, {count} are left out: {reason}" for reason, count in dropped.most_common()]
    odd += [f"columns that are not read: {', '.join(unread)}"] if unread else []
    odd += list(warnings_of(source, unread))
    read = sorted(each for each in account.read if each in account.held)
    return Look(source, rows_in(source, first, LOOKED), mean_bytes(first), read, odd)


def taken_for(path: str, split: str, rows: Sequence[Mapping[str, Any]]) -> LabelledSource:
    """The source that fits the first rows. Raises InputError if none does."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    at = {"path": path, "split": split}
    if sides := two_of(names, columns.SIDES):
        texts = [row[sides[0]] for row in rows if not blank(row.get(sides[0]))]
        if _prompt(names, sides) is None and texts and all(_is_transcript(text) for text in texts):
            return HHSource(kind="hh_rlhf", **at)
        if sides == ("chosen", "rejected") and _prompt(names, sides) in ("prompt", None) and _is_binarized(names, rows):
            return UltraFeedbackBinarizedSource(kind="ultrafeedback_binarized", **at)
        chosen_score, rejected_score = two_of(names, columns.SCORES) or (None, None)
        own = PairColumns(
            chosen=sides[0],
            rejected=sides[1],
            chosen_score=chosen_score,
            rejected_score=rejected_score,
            **_context(names, sides),
        )
        return PairsSource(kind="pairs", columns=own, **at)
    two, winner = two_of(names, columns.TWO), one_of(names, columns.WINNER)
    if two and winner:
        first, second = two_of(names, columns.AUTHORS) or (None, None)
        own = ComparisonColumns(
            first=two[0],
            second=two[1],
            winner=winner,
            first_generator=first,
            second_generator=second,
            **_context(names, (*two, winner)),
        )
        return ComparisonsSource(kind="comparisons", columns=own, outcomes=outcomes(path, two, winner, rows), **at)
    raise InputError(
        path,
        f"no pairs are seen in its columns {', '.join(map(str, names)) or '(none)'}",
        "name them prompt, chosen and rejected; or response_a, response_b and winner; "
        "or say what they are in a configuration of your own: docs/sources.md",
    )


def outcomes(path: str, two: tuple[str, str], winner: str, rows: Sequence[Mapping[str, Any]]) -> Outcomes:
    """What a winner's column says, by its values in the first rows. Raises InputError for values that say nothing."""
    told = [str(row[winner]).strip().removesuffix(".0") for row in rows if not blank(row.get(winner))]
    values = list(dict.fromkeys(told))
    if set(values) <= {"0", "1"} and two[0].endswith("0"):
        return Outcomes(first=["0"], second=["1"])
    found = {
        name: [text for text in values if text.lower() in known]
        for name, known in (("first", FIRST), ("second", SECOND), ("tie", TIE))
    }
    if unknown := [text for text in values if not any(text in known for known in found.values())]:
        raise InputError(
            path,
            f"column {winner} says {', '.join(map(repr, unknown[:5]))}, and which response won is not clear",
            "name what its values mean as outcomes of a source of kind comparisons: docs/sources.md",
        )
    defaults = {"first": [FIRST[0]], "second": [SECOND[0]], "tie": [TIE[0]]}
    return Outcomes(**{name: spelt or defaults[name] for name, spelt in found.items()})


def _prompt(names: Sequence[str], taken: Sequence[str]) -> str | None:
    return one_of([name for name in names if name not in taken], columns.PROMPT)


def _context(names: Sequence[str], taken: Sequence[str]) -> dict[str, str]:
    """The prompt's columns; those that are named as the source's type has it by default are left out."""
    left = [name for name in names if name not in taken]
    found = {
        "prompt": _prompt(names, taken),
        "system": one_of(left, columns.SYSTEM),
        "history": one_of(left, columns.HISTORY),
        "input": one_of(left, columns.INPUT),
    }
    return {name: column for name, column in found.items() if column}


def _is_transcript(text: Any) -> bool:
    return isinstance(text, str) and TURN.match(text.lstrip("\n")) is not None


def _is_binarized(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether scores or models stand where the published binarizations of UltraFeedback have them."""
    known = {
        "all_generated_responses",
        "chosen-model",
        "chosen_model",
        "score_chosen",
        "chosen-rating",
        "chosen_rating",
    }
    metadata = structured(next((row["metadata"] for row in rows if not blank(row.get("metadata"))), None))
    return bool(known & set(names)) or (isinstance(metadata, dict) and bool(known & set(metadata)))
