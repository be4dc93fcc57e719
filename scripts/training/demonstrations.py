"""What a policy is supervised on: conversations as tokens, of which every answer is learnt, and their loss.

A conversation longer than ``max_length`` is cut there, within an answer if need be, as TRL's SFTTrainer cuts it. The
loss of a step is the mean over all learnt tokens of its conversations, so that each token has the same weight, as in
transformers' Trainer and TRL.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scripts.lib.chat import Encoded
from scripts.lib.encoding import Encoder
from scripts.lib.schemas import CONVERSATIONS
from scripts.lib.tables import read_batches
from scripts.lib.turns import Turns

READ = 4096
"""Conversations encoded at a time: of the others only token ids are held."""


@dataclass(frozen=True)
class Demonstration:
    """A conversation within the length that a policy learns from."""

    turns: Turns

    @property
    def tokens(self) -> int:
        return len(self.turns)

    @property
    def learnt(self) -> int:
        """The number of tokens in answers."""
        return self.turns.learnt

    @property
    def encoded(self) -> Encoded:
        """All from the first answer on as one response: what lies between answers is evaluated, and not learnt."""
        ids, first = self.turns.ids.tolist(), self.turns.places[0][0]
        return Encoded(ids[:first], ids[first:])


class AnswersLesson:
    """The answers of conversations: -log p of each of their tokens, over the mean number of them per conversation."""

    rows = 1

    def __init__(self, step: Sequence[Demonstration]) -> None:
        """step: all conversations of the step, so that the mean over them is the mean over the learnt tokens."""
        self.mean = sum(each.learnt for each in step) / len(step)

    def learnt(self, item: Demonstration) -> list[Encoded]:
        return [item.encoded]

    def unlearnt(self, item: Demonstration) -> list[Encoded]:
        return []

    def measured(self, items: Sequence[Demonstration], learnt: list[Tensor], unlearnt: list[Tensor]) -> Tensor:
        sums = []
        for item, values in zip(items, learnt, strict=True):
            start = item.turns.places[0][0]
            sums.append(torch.cat([values[first - start : end - start] for first, end in item.turns.places]).sum())
        return -torch.stack(sums)[None] / self.mean


def read_demonstrations(path: Path, encoder: Encoder, max_length: int) -> tuple[list[Demonstration], dict[str, Any]]:
    """The conversations to learn from, in the table's order, and what is kept and what not.

    ``conversations_read == conversations + sum(dropped.values())``. Raises InputError naming the row for one that the
    chat template refuses or does not write in one way, if such rows are not dropped.
    """
    kept: list[Demonstration] = []
    dropped: Counter[str] = Counter()
    cuts = Counter(longer_than_max_length=0, answers_left_out=0, answer_tokens_cut=0)
    row = 0
    for part in read_batches(path, CONVERSATIONS, rows=READ):
        first, conversations = row, part["conversation"].to_pylist()
        row += len(conversations)
        for whole in encoder.turns(conversations, lambda at, first=first: f"{path}, row {first + at}"):
            if whole is None:
                continue
            cut = whole.cut(max_length)
            cuts["longer_than_max_length"] += len(whole) > max_length
            if not cut.places:
                dropped["no_room_in_max_length"] += 1
                continue
            cuts["answers_left_out"] += len(whole.places) - len(cut.places)
            cuts["answer_tokens_cut"] += whole.learnt - cut.learnt
            kept.append(Demonstration(cut))
    return kept, {
        "conversations_read": row,
        "conversations": len(kept),
        "dropped": dict(sorted((dropped + encoder.dropped).items())),
        "answers": sum(len(each.turns.places) for each in kept),
        "tokens": sum(each.tokens for each in kept),
        "learnt_tokens": sum(each.learnt for each in kept),
        "truncation": {"max_length": max_length, **cuts},
        "control_tokens_in_text": encoder.spelt,
    }
