"""From a source's responses to its three tables: normalised, with ids, merged, every drop counted.

The tables depend only on the rows, not on their order (unless ``limit`` cuts them).
"""

import math
import os
import pickle
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import nsmallest
from pathlib import Path
from tempfile import SpooledTemporaryFile

import pandas as pd

from scripts.lib.ids import Messages, normalise, prompt_id, response_id

SHELF_DIGITS = 2
"""Leading digits of a prompt's id, 16 values each: 9 million responses make 256 shelves of some 35,000."""
SHELF_BYTES = 1 << 16
"""A shelf that grows larger than this is moved to disk."""
PART_SIZE = 1 << 23
"""Characters per part of the tables, which consists of whole shelves; each response adds a hundred to its length."""


@dataclass(frozen=True)
class Record:
    """One response as a source has it. An annotation is None if the data names it but gives no number."""

    prompt: Messages
    response: str
    generator: str = ""
    annotations: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Dropped:
    """Responses that a source's format excludes; a row without responses counts as one."""

    reason: str
    responses: int = 1


@dataclass(frozen=True)
class Tables:
    """prompts (PROMPTS), responses (RESPONSES), annotations (ANNOTATIONS), sorted by prompt_id, then their keys."""

    prompts: pd.DataFrame
    responses: pd.DataFrame
    annotations: pd.DataFrame


@dataclass
class _Response:
    """All copies of one response to one prompt."""

    text: str
    generators: list[str] = field(default_factory=list)
    scores: dict[str, list[float]] = field(default_factory=dict)


@dataclass
class _Prompt:
    """A prompt with its responses by id; ``number`` is the position of the first record with it."""

    its_id: str
    number: int
    prompt: Messages
    responses: dict[str, _Response] = field(default_factory=dict)


class Collection:
    """The valid records of a source, and the tables made from them.

    - Equal prompts are one prompt; equal responses to it are one response, under the alphabetically first generator. A
      response without a generator is under the source's name.
    - An annotation of a response that occurs more than once is the mean of the given values; for ``preferred``, the
      share of its pairs that it wins.
    - ``limit`` keeps the first prompts of those left after all other drops.

    Records are divided into shelves by the first digits of their prompt's id, the order in which tables are made: one
    shelf is in memory at a time, and large ones are nameless files in ``folder``.
    """

    def __init__(
        self, source: str, split: str, min_responses: int = 1, limit: int | None = None, folder: Path | None = None
    ) -> None:
        self.source, self.split, self.min_responses, self.limit = source, split, min_responses, limit
        self.folder = folder
        self.shelves: dict[str, SpooledTemporaryFile] = {}
        self.read = self.prompts = self.responses = 0
        self.dropped, self.skipped, self.generators, self.annotations = (Counter() for _ in range(4))

    def __enter__(self) -> "Collection":
        return self

    def __exit__(self, *error: object) -> None:
        for shelf in self.shelves.values():
            shelf.close()

    def add(self, records: Iterable[Record | Dropped]) -> None:
        """Put records on their shelves, normalised and with their ids."""
        as_read: Messages | None = None
        for record in records:
            self.read += record.responses if isinstance(record, Dropped) else 1
            if isinstance(record, Dropped):
                self.dropped[record.reason] += record.responses
                continue
            if record.prompt != as_read:
                as_read, its_id = record.prompt, ""
                prompt = [{"role": turn["role"], "content": normalise(turn["content"])} for turn in record.prompt]
            text, generator = normalise(record.response), normalise(record.generator) or self.source
            if reason := _flaw(prompt, text, generator):
                self.dropped[reason] += 1
                continue
            again = bool(its_id)
            its_id = its_id or prompt_id(prompt)
            key, scores = response_id(its_id, text), self._finite(record.annotations)
            if (name := its_id[:SHELF_DIGITS]) not in self.shelves:
                self.shelves[name] = SpooledTemporaryFile(SHELF_BYTES, dir=self.folder)  # noqa: SIM115
            row = (self.read, its_id, None if again else prompt, key, text, generator, scores)
            pickle.dump(row, self.shelves[name], pickle.HIGHEST_PROTOCOL)

    def _finite(self, annotations: dict[str, float | None]) -> dict[str, float]:
        found = {}
        for name, score in annotations.items():
            if score is None:
                self.skipped["missing"] += 1
            elif not math.isfinite(score):
                self.skipped["not_finite"] += 1
            else:
                found[name] = score
        return found

    def parts(self) -> Iterator[Tables]:
        """The tables, cut between prompts; can be read only once. ``counts`` are complete after the last part."""
        taken = None if self.limit is None else self._first(self.limit)
        waiting: list[_Prompt] = []
        size = 0
        for name in sorted(self.shelves):
            for prompt in self._on(name):
                responses = len(prompt.responses)
                self.dropped["duplicate_response"] += sum(
                    len(each.generators) - 1 for each in prompt.responses.values()
                )
                if responses < self.min_responses:
                    self.dropped["too_few_responses"] += responses
                elif taken is not None and prompt.its_id not in taken:
                    self.dropped["over_limit"] += responses
                else:
                    waiting.append(prompt)
                    size += sum(100 + len(each.text) for each in prompt.responses.values())
            if size >= PART_SIZE:
                yield self._tables(waiting)
                waiting, size = [], 0
        yield self._tables(waiting)

    def counts(self) -> dict:
        """For the card: ``responses_read == responses + sum(dropped.values())``."""
        return {
            "responses_read": self.read,
            "prompts": self.prompts,
            "responses": self.responses,
            "generators": dict(sorted(self.generators.items())),
            "annotations": dict(sorted(self.annotations.items())),
            "annotations_skipped": dict(sorted(self.skipped.items())),
            "dropped": {reason: count for reason, count in sorted(self.dropped.items()) if count},
        }

    def _first(self, limit: int) -> set[str]:
        """The ids of the first ``limit`` prompts with enough responses."""
        fit = (
            (prompt.number, prompt.its_id)
            for name in self.shelves
            for prompt in self._on(name)
            if len(prompt.responses) >= self.min_responses
        )
        return {its_id for _, its_id in nsmallest(limit, fit)}

    def _on(self, name: str) -> list[_Prompt]:
        """The prompts on a shelf, sorted by id."""
        found: dict[str, _Prompt] = {}
        shelf = self.shelves[name]
        end = shelf.seek(0, os.SEEK_END)
        shelf.seek(0)
        while shelf.tell() < end:
            number, its_id, prompt, key, text, generator, scores = pickle.load(shelf)
            if its_id not in found:
                found[its_id] = _Prompt(its_id, number, prompt)
            response = found[its_id].responses.setdefault(key, _Response(text))
            response.generators.append(generator)
            for annotation, score in scores.items():
                response.scores.setdefault(annotation, []).append(score)
        return [found[its_id] for its_id in sorted(found)]

    def _tables(self, kept: list[_Prompt]) -> Tables:
        responses, annotations = [], []
        for prompt in kept:
            for key, response in sorted(prompt.responses.items()):
                responses.append((key, prompt.its_id, min(response.generators), response.text))
                for name, scores in sorted(response.scores.items()):
                    # statistics.mean is exact: independent of the rows' order
                    annotations.append((key, name, scores[0] if len(scores) == 1 else statistics.mean(scores)))
        self.prompts += len(kept)
        self.responses += len(responses)
        self.generators.update(family for _, _, family, _ in responses)
        self.annotations.update(name for _, name, _ in annotations)
        prompts = [(prompt.its_id, prompt.prompt, self.source, self.split) for prompt in kept]
        return Tables(
            pd.DataFrame(prompts, columns=["prompt_id", "prompt", "source", "split"]),
            pd.DataFrame(responses, columns=["response_id", "prompt_id", "family", "response"]),
            pd.DataFrame(annotations, columns=["response_id", "annotation", "score"]),
        )


def identified(record: Record) -> tuple[str, str] | Dropped:
    """(prompt_id, response_id) of a record, or the reason why a Collection does not keep it."""
    prompt = [{"role": turn["role"], "content": normalise(turn["content"])} for turn in record.prompt]
    text = normalise(record.response)
    if reason := _flaw(prompt, text, normalise(record.generator)):
        return Dropped(reason)
    its_id = prompt_id(prompt)
    return its_id, response_id(its_id, text)


def whole(collection: Collection) -> Tables:
    """All parts of the tables, joined."""

    def joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
        filled = [frame for frame in frames if len(frame)]
        return pd.concat(filled, ignore_index=True) if filled else frames[0]

    parts = list(collection.parts())
    return Tables(
        joined([part.prompts for part in parts]),
        joined([part.responses for part in parts]),
        joined([part.annotations for part in parts]),
    )


def _flaw(prompt: Messages, response: str, generator: str) -> str | None:
    """Why a record cannot be kept, if so; its texts are normalised."""
    turns = prompt[1:] if prompt and prompt[0]["role"] == "system" else prompt
    if not turns or not all(turn["content"] for turn in prompt):
        return "empty_prompt"
    if not response:
        return "empty_response"
    if any(turn["role"] != ("user", "assistant")[at % 2] for at, turn in enumerate(turns)) or len(turns) % 2 == 0:
        return "turns_do_not_alternate"
    try:
        for text in (response, generator, *(turn["content"] for turn in prompt)):
            text.encode("utf-8")
    except UnicodeEncodeError:
        return "not_unicode"
    return None
