"""Rows of tables as token ids: what a policy's chat template refuses stops the step, or is dropped and counted."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerFast

from scripts.lib.chat import Answer, Encoded, encode_all, encode_prompts, tried
from scripts.lib.ids import Messages
from scripts.lib.spelling import is_spelt
from scripts.lib.templates import Refused, template_in
from scripts.lib.turns import Turns, encode_turns

ROWS = 4096
"""Rows that are encoded in one call of the tokenizer."""

Place = Callable[[int], str]
"""The name of a row, given its number, for errors."""


@dataclass(frozen=True)
class Rules:
    """What becomes of rows that do not fit a chat template.

    refused: stop at the first such row, or drop it. control_in_text: a control token spelt out in a text is read as
    text, or is refused.
    """

    refused: str = "stop"
    control_in_text: str = "text"


RULES = Rules()
"""The rules where the configuration says nothing else."""


@dataclass
class Encoder:
    """A tokenizer, and the rules for what it refuses. dropped: refused rows, by reason. spelt: rows with control
    tokens in their text. owner: whose entry in the configuration holds the rules.
    """

    tokenizer: PreTrainedTokenizerFast
    rules: Rules = RULES
    owner: str = "the policy"
    dropped: Counter = field(default_factory=Counter)
    spelt: int = 0

    def prompts(self, prompts: Sequence[Messages], place: Place) -> list[list[int] | None]:
        """Each prompt's tokens, up to where a response begins; None where dropped. Raises InputError naming the row."""
        return self._all(prompts, encode_prompts, lambda prompt: [turn["content"] for turn in prompt], place)

    def answers(self, answers: Sequence[Answer], place: Place) -> list[Encoded | None]:
        """Each prompt and response, uncut; None where dropped. Raises InputError naming the row."""
        return self._all(
            answers, encode_all, lambda each: [each.response, *(turn["content"] for turn in each.prompt)], place
        )

    def turns(self, conversations: Sequence[Messages], place: Place) -> list[Turns | None]:
        """Each whole conversation, uncut; None where dropped. Raises InputError naming the row."""
        return self._all(conversations, encode_turns, lambda each: [turn["content"] for turn in each], place)

    def conversations(
        self,
        items: Sequence[tuple[Messages, str]],
        encode: Callable[[Messages, str, int], list[int] | None],
        max_length: int,
        place: Place,
    ) -> list[list[int] | None]:
        """Each conversation by ``encode``, as of a reward model; None where dropped or without room."""

        def encode_part(_tokenizer: PreTrainedTokenizerFast, part: Sequence) -> list:
            return [tried(encode, *item, max_length) for item in part]

        return self._all(items, encode_part, lambda item: [item[1], *(turn["content"] for turn in item[0])], place)

    def kept(self, found: Any | Refused, place: str) -> Any | None:
        """What was found; None, counted, where it is a refusal and such rows are dropped."""
        if not isinstance(found, Refused):
            return found
        if self.rules.refused == "stop":
            raise found.at(place, f"set refused: drop in {self.owner}'s entry to leave such rows out, counted")
        self.dropped[found.reason] += 1
        return None

    def _all(self, items: Sequence, encode: Callable, texts_of: Callable, place: Place) -> list:
        found = []
        for start in range(0, len(items), ROWS):
            part = items[start : start + ROWS]
            encoded = encode(self.tokenizer, part)
            for at, (item, each) in enumerate(zip(part, encoded, strict=True), start):
                if is_spelt(self.tokenizer, *texts_of(item)):
                    self.spelt += 1
                    each = self._by_rule(each)
                found.append(self.kept(each, place(at) if isinstance(each, Refused) else ""))
        return found

    def _by_rule(self, found: Any | Refused) -> Any | Refused:
        if self.rules.control_in_text == "text":
            return found
        return Refused(
            template_in(self.tokenizer), "control_in_text", "a text spells a control token", "take it out of the text"
        )


def digest_of_tokens(encoded: Encoded) -> int:
    """A number for the tokens of a prompt and a response: other tokens have another one."""
    content = np.array([len(encoded.prompt_ids), *encoded.prompt_ids, *encoded.response_ids], np.int32).tobytes()
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big", signed=True)
