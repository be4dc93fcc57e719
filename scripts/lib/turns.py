"""Whole conversations as token ids, with the places of what the assistant says in them.

Each assistant's turn is encoded as a response to the turns before it is (scripts/lib/chat.py): it begins after the
generation prompt and ends with the end of its turn. So a policy learns a turn as it will be asked for one. A template
may write a turn otherwise once others follow it, for example without its reasoning, or with another end: then no
sequence of tokens holds all turns as they are sampled, and the conversation is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from transformers import PreTrainedTokenizerFast

from scripts.lib.chat import Answer, Encoded, encode_all
from scripts.lib.ids import Messages
from scripts.lib.templates import Refused, template_in


@dataclass(frozen=True)
class Turns:
    """A conversation up to the end of its last assistant's turn.

    ids: int32 (tokens,). places: (first, end) of each assistant's turn in them, its end of turn included; the first is
    above 0.
    """

    ids: np.ndarray
    places: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def learnt(self) -> int:
        """The number of tokens in assistant's turns."""
        return sum(end - first for first, end in self.places)

    def cut(self, max_length: int) -> "Turns":
        """The first ``max_length`` tokens, without what follows the last assistant's turn in them; perhaps nothing."""
        places = tuple((first, min(end, max_length)) for first, end in self.places if first < max_length)
        return Turns(self.ids[: places[-1][1] if places else 0], places)


def answers_in(conversation: Messages) -> list[Answer]:
    """Each assistant's turn as a response to all turns before it."""
    turns = enumerate(conversation)
    return [Answer(conversation[:at], turn["content"]) for at, turn in turns if turn["role"] == "assistant"]


def encode_turns(tokenizer: PreTrainedTokenizerFast, conversations: Sequence[Messages]) -> list[Turns | Refused]:
    """Every conversation as tokens, uncut, or with its refusal. Each has a turn of the assistant, and not first."""
    answers = [answers_in(each) for each in conversations]
    encoded = iter(encode_all(tokenizer, [each for of_one in answers for each in of_one]))
    return [_joined(tokenizer, [next(encoded) for _ in of_one]) for of_one in answers]


def _joined(tokenizer: PreTrainedTokenizerFast, turns: list[Encoded | Refused]) -> Turns | Refused:
    if refusal := next((each for each in turns if isinstance(each, Refused)), None):
        return refusal
    whole = turns[-1].prompt_ids + turns[-1].response_ids
    for number, each in enumerate(turns, 1):
        ids = each.prompt_ids + each.response_ids
        if whole[: len(ids)] != ids:
            at = next((at for at, (one, other) in enumerate(zip(ids, whole, strict=False)) if one != other), len(whole))
            last, followed = (tokenizer.decode(part[at : at + 8]) for part in (ids, whole))
            return Refused(
                template_in(tokenizer),
                "turn_rewritten",
                f"writes the assistant's turn {number} otherwise once others follow it ({followed!r} for {last!r})",
                "give a chat_template that writes each turn in one way, or conversations of one answer",
            )
    return Turns(np.array(whole, np.int32), tuple((len(each.prompt_ids), len(each)) for each in turns))
