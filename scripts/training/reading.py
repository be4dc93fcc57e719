"""Reads the pairs of a run as token ids with their reference log-probs, and says what truncation does to them.

A pair is dropped if its prompt leaves no room for a response, if the chat template refuses it, or if its responses are
the same tokens: such a pair has a loss and no gradient. A cut at max_length makes many pairs so, and changes what
others compare; ``truncation: drop`` leaves out every pair with a response that is longer.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from transformers import PreTrainedTokenizerFast

from scripts.lib.chat import Answer, Encoded
from scripts.lib.config.policies import Truncation
from scripts.lib.encoding import Encoder, digest_of_tokens
from scripts.lib.errors import InputError
from scripts.lib.ids import Messages
from scripts.lib.models import PolicyCard
from scripts.lib.schemas import LOGPROBS, PROMPTS, RESPONSES
from scripts.lib.tables import read_table
from scripts.training.lessons import Example

CHOICES: tuple[Truncation, ...] = ("cut", "drop")


@dataclass(frozen=True)
class Store:
    """The rows that a pairs dataset refers to: id -> prompt, (prompt id, text, finished), (log-probs, digest)."""

    prompts: dict[str, Messages]
    responses: dict[str, tuple[str, str, bool]]
    logprobs: dict[str, tuple[np.ndarray, int]]


@dataclass(frozen=True)
class Side:
    """A response of a pair, uncut, and the log-probs of its tokens up to the policy's max_length."""

    encoded: Encoded
    logprobs: np.ndarray

    def cut(self, max_length: int) -> tuple[Encoded, float]:
        """The response within ``max_length`` tokens and its log-probability: that of the first tokens is their sum."""
        kept = self.encoded.cut(max_length)
        return kept, float(np.sum(self.logprobs[: len(kept.response_ids)], dtype=np.float64))


@dataclass(frozen=True)
class Pair:
    """A row of a pairs table: the ids, and both responses; None for one that the chat template refuses."""

    chosen_id: str
    rejected_id: str
    chosen: Side | None
    rejected: Side | None


def read_store(
    pairs: pd.DataFrame, prompts: Sequence[Path], responses: Sequence[Path], logprobs: Sequence[Path]
) -> Store:
    """The rows of the tables that ``pairs`` needs; an id that occurs in several files is taken from the first."""
    wanted = set(pairs["chosen_id"]) | set(pairs["rejected_id"])
    store = Store({}, {}, {})
    for path in prompts:
        frame = read_table(path, PROMPTS)
        for key, prompt in zip(frame["prompt_id"], frame["prompt"], strict=True):
            store.prompts.setdefault(key, prompt)
    for path in responses:
        frame = read_table(path, RESPONSES)
        frame = frame[frame["response_id"].isin(wanted)]
        columns = ("response_id", "prompt_id", "response", "finished")
        for key, *row in zip(*(frame[name] for name in columns), strict=True):
            store.responses.setdefault(key, tuple(row))
    for path in logprobs:
        frame = read_table(path, LOGPROBS)
        frame = frame[frame["response_id"].isin(wanted)]
        for key, *row in zip(frame["response_id"], frame["token_logprobs"], frame["tokens"], strict=True):
            store.logprobs.setdefault(key, tuple(row))
    return store


def read_pairs(
    pairs: pd.DataFrame, store: Store, tokenizer: PreTrainedTokenizerFast, card: PolicyCard, where: Path
) -> list[Pair]:
    """The pairs with their tokens, in the table's order.

    Raises InputError, naming the row of ``where``, for an id that no table has, a response to another prompt, and
    log-probs that are missing or of other tokens than the response has.
    """
    places: dict[str, str] = {}
    rows = zip(pairs["prompt_id"], pairs["chosen_id"], pairs["rejected_id"], strict=True)
    for row, (prompt_id, *response_ids) in enumerate(rows):
        for column, response_id in zip(("chosen_id", "rejected_id"), response_ids, strict=True):
            place = f"{where}, row {row}, {column} {response_id}"
            _refuse_unknown(prompt_id, response_id, store, place)
            places.setdefault(response_id, place)
    ids = list(places)
    answers = [Answer(store.prompts[of], text, done) for of, text, done in (store.responses[each] for each in ids)]
    encoded = Encoder(tokenizer, card.rules).answers(answers, lambda at: places[ids[at]])
    sides = {
        each: None if tokens is None else _with_reference(each, tokens, store, card, places[each])
        for each, tokens in zip(ids, encoded, strict=True)
    }
    two = zip(pairs["chosen_id"], pairs["rejected_id"], strict=True)
    return [Pair(chosen, rejected, sides[chosen], sides[rejected]) for chosen, rejected in two]


def examples_of(pairs: Sequence[Pair], max_length: int, truncation: Truncation) -> tuple[list[Example], Counter]:
    """The pairs to learn from, within ``max_length`` tokens, in order, and the number of the others, by reason."""
    examples: list[Example] = []
    dropped: Counter[str] = Counter()
    for pair in pairs:
        if reason := _reason_to_drop(pair, max_length, truncation):
            dropped[reason] += 1
            continue
        (chosen, ref_chosen), (rejected, ref_rejected) = pair.chosen.cut(max_length), pair.rejected.cut(max_length)
        examples.append(Example(pair.chosen_id, pair.rejected_id, chosen, rejected, ref_chosen, ref_rejected))
    return examples, dropped


def truncated(pairs: Sequence[Pair], max_length: int) -> dict[str, Any]:
    """What a cut at ``max_length`` does to a dataset: its responses that are longer, and the pairs left by choice."""
    both = [pair for pair in pairs if pair.chosen and pair.rejected]
    reasons = {
        choice: [reason for pair in pairs if (reason := _reason_to_drop(pair, max_length, choice))]
        for choice in CHOICES
    }
    return {
        "max_length": max_length,
        "pairs": len(pairs),
        "chosen_longer": sum(len(pair.chosen.encoded) > max_length for pair in both),
        "rejected_longer": sum(len(pair.rejected.encoded) > max_length for pair in both),
        "pairs_left": {choice: len(pairs) - len(reasons[choice]) for choice in CHOICES},
        "dropped": {choice: dict(sorted(Counter(reasons[choice]).items())) for choice in CHOICES},
    }


def _reason_to_drop(pair: Pair, max_length: int, truncation: Truncation) -> str | None:
    if pair.chosen is None or pair.rejected is None:
        return "refused_by_template"
    sides = [pair.chosen.encoded, pair.rejected.encoded]
    kept = [each.cut(max_length) for each in sides]
    if not all(each.response_ids for each in kept):
        return "no_room_in_max_length"
    if truncation == "drop" and sides != kept:
        return "longer_than_max_length"
    if kept[0].response_ids == kept[1].response_ids:
        return "equal_after_cut" if sides[0] != sides[1] else "equal_tokens"
    return None


def _refuse_unknown(prompt_id: str, response_id: str, store: Store, place: str) -> None:
    if response_id not in store.responses:
        raise InputError(place, "is in no responses table", "give the responses.parquet that the pairs are made of")
    of_prompt = store.responses[response_id][0]
    if of_prompt != prompt_id:
        raise InputError(place, f"responds to {of_prompt}, the pair is of {prompt_id}", "make the pairs again")
    if prompt_id not in store.prompts:
        raise InputError(
            place, f"prompt {prompt_id} is in no prompts table", "give the prompts.parquet that the pairs are made of"
        )


def _with_reference(response_id: str, whole: Encoded, store: Store, card: PolicyCard, place: str) -> Side:
    """A response and its stored log-probs, which are those of exactly its tokens within the policy's max_length."""
    kept = whole.cut(card.max_length)
    logprobs, digest = store.logprobs.get(response_id, (np.empty(0, np.float32), None))
    problem = None
    if len(logprobs) != len(kept.response_ids):
        problem = f"has {len(logprobs)} stored log-probs and {len(kept.response_ids)} tokens under policy {card.name}"
    elif kept.response_ids and digest != digest_of_tokens(kept):
        problem = f"has stored log-probs of other tokens than those it has now under policy {card.name}"
    if problem:
        raise InputError(
            place,
            f"{problem}: the log-probs are stale, or of other families",
            f"delete results/logprobs/{card.name} and run snakemake again",
        )
    return Side(whole, logprobs)
