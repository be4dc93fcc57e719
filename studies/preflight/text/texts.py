"""The texts of a pairs dataset, in memory: what every measure of the text part reads."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.lib.errors import InputError
from scripts.lib.ids import Messages
from scripts.lib.schemas import PAIRS, PREFERENCES, PROMPTS, RESPONSES
from scripts.lib.tables import read_json, read_table
from studies.preflight.finding import Finding

IDS = ["prompt_id", "chosen_id", "rejected_id"]
SIDES = ("chosen", "rejected")


@dataclass(frozen=True)
class Labels:
    """The rows of labelled sources, in their order. rows: (source, row, prompt_id, chosen_id, rejected_id,
    chosen_score, rejected_score), one per row that is a pair. cards: source -> its preferences.card.json.
    """

    rows: pd.DataFrame
    cards: dict[str, dict]


@dataclass(frozen=True)
class Texts:
    """Pairs with their texts.

    pairs: one row per pair, by its place in the pairs table: IDS; ``prompt``, its place in ``prompts``; ``chosen`` and
    ``rejected``, texts; ``chosen_author`` and ``rejected_author``, the generator's name, empty if unknown; ``source``.
    prompts: the distinct prompts of the pairs, in order of first use. labels: of a labelled dataset; None of others.
    """

    pairs: pd.DataFrame
    prompts: list[Messages]
    labels: Labels | None = None

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def both(self) -> list[str]:
        """All responses of all pairs: the chosen ones, then the rejected."""
        return [*self.pairs["chosen"], *self.pairs["rejected"]]


@dataclass
class Measured:
    """What one measure of the text part has to say.

    columns: of the table of measures, one value per pair. drop: reason -> which pairs it speaks of (boolean mask).
    """

    findings: list[Finding]
    columns: dict[str, Sequence] = field(default_factory=dict)
    drop: dict[str, np.ndarray] = field(default_factory=dict)


def read_texts(pairs: Path, prompts: Sequence[Path], responses: Sequence[Path], authors: Sequence[Path]) -> Texts:
    """Read a pairs table with its texts. Raises InputError for ids that no table has.

    authors: the sources' responses, whose family is their generator; where it is the source's own name, nobody is
    known to have written them. labels are read apart.
    """
    frame = read_table(pairs, PAIRS, IDS)
    prompt_of: dict[str, tuple[Messages, str]] = {}
    wanted = set(frame["prompt_id"])
    for path in prompts:
        table = read_table(path, PROMPTS, ["prompt_id", "prompt", "source"])
        for key, *found in zip(table["prompt_id"], table["prompt"], table["source"], strict=True):
            if key in wanted:
                prompt_of.setdefault(key, tuple(found))
    wanted = set(frame["chosen_id"]) | set(frame["rejected_id"])
    text_of: dict[str, str] = {}
    for path in responses:
        table = read_table(path, RESPONSES, ["response_id", "response"])
        for key, text in zip(table["response_id"], table["response"], strict=True):
            if key in wanted:
                text_of.setdefault(key, text)
    author_of: dict[str, str] = {}
    for path in authors:
        table = read_table(path, RESPONSES, ["response_id", "family"])
        for key, author in zip(table["response_id"], table["family"], strict=True):
            if key in wanted and author != path.parent.name:
                author_of.setdefault(key, author)
    _refuse_unknown(pairs, frame, prompt_of, text_of)
    order = {key: at for at, key in enumerate(dict.fromkeys(frame["prompt_id"]))}
    for side in SIDES:
        frame[side] = frame[f"{side}_id"].map(text_of)
        frame[f"{side}_author"] = frame[f"{side}_id"].map(author_of).fillna("")
    frame["source"] = [prompt_of[key][1] for key in frame["prompt_id"]]
    frame["prompt"] = frame["prompt_id"].map(order)
    return Texts(frame, [prompt_of[key][0] for key in order])


def _refuse_unknown(where: Path, frame: pd.DataFrame, prompts: dict, responses: dict) -> None:
    for column, known in zip(IDS, (prompts, responses, responses), strict=True):
        if (unknown := ~frame[column].isin(known)).any():
            row = int(unknown.to_numpy().argmax())
            raise InputError(
                f"{where}, row {row}",
                f"{column} {frame[column].iloc[row]} is in no table of texts",
                "delete the pairs and run snakemake again",
            )


def read_labels(preferences: Sequence[Path]) -> Labels:
    """From results/data/<source>/preferences.parquet, with preferences.card.json beside each."""
    parts, cards = [], {}
    for path in preferences:
        source = path.parent.name
        parts.append(read_table(path, PREFERENCES).assign(source=source))
        cards[source] = read_json(path.with_suffix(".card.json"))
    return Labels(pd.concat(parts, ignore_index=True), cards)
