"""How long prompts and responses are, in a policy's tokens; without a policy, in tokens estimated from bytes."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from studies.preflight.text.texts import SIDES, Texts

BYTES_A_TOKEN = 4
"""As in scripts/studies/plan.py: a good approximation for English and most tokenizers."""
PAIRS = 4096
"""Pairs whose tokens are in memory at a time."""


@dataclass(frozen=True)
class Lengths:
    """Tokens of every pair: (pairs,) each. chosen, rejected: of the responses alone; prompt: of what stands before.

    same_after_cut: whether the responses are the same once prompt and response are cut to the given length. refused:
    whether the chat template refuses the pair. estimated: no tokenizer was given, and tokens are UTF-8 bytes divided by
    BYTES_A_TOKEN.
    """

    prompt: np.ndarray
    chosen: np.ndarray
    rejected: np.ndarray
    same_after_cut: np.ndarray
    refused: np.ndarray
    estimated: bool

    @property
    def unit(self) -> str:
        return f"tokens (estimated: UTF-8 bytes / {BYTES_A_TOKEN})" if self.estimated else "tokens"


def estimated(texts: Texts, max_length: int) -> Lengths:
    """Without a tokenizer; a chat template's own tokens are not counted."""
    before = np.array([sum(len(turn["content"].encode()) for turn in prompt) for prompt in texts.prompts])
    prompt = before[texts.pairs["prompt"]] if len(texts) else np.empty(0, np.int64)
    found = {}
    room = np.maximum(0, max_length * BYTES_A_TOKEN - prompt)
    encoded = [[text.encode() for text in texts.pairs[side]] for side in SIDES]
    for side, contents in zip(SIDES, encoded, strict=True):
        found[side] = np.array([len(each) for each in contents], dtype=np.int64)
    same = [chosen[:left] == rejected[:left] for chosen, rejected, left in zip(*encoded, room.tolist(), strict=True)]
    tokens = {side: np.ceil(sizes / BYTES_A_TOKEN) for side, sizes in found.items()}
    never = np.zeros(len(texts), bool)
    return Lengths(
        np.ceil(prompt / BYTES_A_TOKEN),
        tokens["chosen"],
        tokens["rejected"],
        np.array(same, bool),
        never,
        estimated=True,
    )


def counted(texts: Texts, max_length: int, policy: Path) -> Lengths:
    """By a policy's tokenizer and chat template; a pair that the template refuses keeps its estimated lengths."""
    from scripts.lib.chat import Answer
    from scripts.lib.encoding import Encoder
    from scripts.lib.models import load_tokenizer, read_policy

    card = read_policy(policy)
    encoder = Encoder(load_tokenizer(card), replace(card.rules, refused="drop"))
    found = estimated(texts, max_length)
    prompt, chosen, rejected = (each.copy() for each in (found.prompt, found.chosen, found.rejected))
    same, refused = np.zeros(len(texts), bool), np.zeros(len(texts), bool)
    for start in range(0, len(texts), PAIRS):
        part = texts.pairs.iloc[start : start + PAIRS]
        sides = [
            encoder.answers(
                [Answer(texts.prompts[at], text) for at, text in zip(part["prompt"], part[side], strict=True)], str
            )
            for side in SIDES
        ]
        for at, (one, other) in enumerate(zip(*sides, strict=True), start):
            if one is None or other is None:
                refused[at] = True
                continue
            prompt[at], chosen[at], rejected[at] = len(one.prompt_ids), len(one.response_ids), len(other.response_ids)
            same[at] = one.cut(max_length).response_ids == other.cut(max_length).response_ids
    return Lengths(prompt, chosen, rejected, same, refused, estimated=False)
