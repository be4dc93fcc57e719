"""What a chat template writes around the turns of a conversation, found by rendering one of placeholders."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from typing import NamedTuple

from transformers import PreTrainedTokenizerFast

from scripts.lib.ids import Messages
from scripts.lib.templates import Refused, render, template_in

PROBE = "0probe0"
"""Stands for the content of a turn."""

BEGINNINGS = ("The", "a", "1", "(", "é", "你", '"')
"""Beginnings of responses, to find where their tokens begin."""


BYTE = re.compile(r"<0x[0-9A-F]{2}>")
"""The name of a byte of text, special in some tokenizers."""


@dataclass(frozen=True)
class Control:
    """A tokenizer's control tokens, which only the template may write.

    pattern: their spelling, longest first. tokens: spelling -> id. ids: of all but the unknown token.
    """

    pattern: re.Pattern
    tokens: dict[str, int]
    ids: frozenset[int]

    def split(self, text: str) -> list[str]:
        """The text in pieces, of which every second one is a control token."""
        return self.pattern.split(text)


@dataclass(frozen=True)
class Seams:
    """What a template writes around a response, and what no other text may hold.

    end: what ends an assistant's turn, wherever it stands; where two control tokens do, the last turn's. tail: what
    follows a response that ends the conversation; it begins with the end. space: white space that it writes between
    the generation prompt and a response. stem: whether a prompt is encoded without the white space at its end, which a
    tokenizer puts into one token with what follows. marks: role -> words, without a control token, that begin another
    turn.
    """

    end: str
    tail: str
    space: str
    stem: bool
    marks: dict[str, str]


class _Around(NamedTuple):
    """What a template writes up to the generation prompt, then before a response, after a last one, and between one
    and a question."""

    before: str
    gap: str
    tail: str
    between: str


def seams(tokenizer: PreTrainedTokenizerFast, prompt: Messages) -> Seams:
    """The seams of a response to such a prompt. Raises Refused if the template gives a response no end of its own."""
    return _seams(tokenizer, tokenizer.chat_template, tuple(turn["role"] for turn in prompt))


def control_of(tokenizer: PreTrainedTokenizerFast) -> Control:
    """The special tokens of a tokenizer, and the added ones that its template puts around turns."""
    return _control(tokenizer, tokenizer.chat_template)


def opening_of(tokenizer: PreTrainedTokenizerFast) -> str:
    """What the template writes before a first question, if that has control tokens besides a BOS; else empty."""
    return _opening(tokenizer, tokenizer.chat_template)


def marks_of(tokenizer: PreTrainedTokenizerFast, roles: Sequence[str]) -> dict[str, str]:
    """:attr:`Seams.marks` for prompts of such roles; none for a template that gives responses no place."""
    return _marks(tokenizer, tokenizer.chat_template, tuple(roles))


def after_prompt(tokenizer: PreTrainedTokenizerFast, before: str, whole: str) -> str:
    """What follows the generation prompt. Raises Refused if the turn does not begin with it."""
    if not whole.startswith(before):
        raise misfit(
            tokenizer, f"an assistant's turn does not begin with the generation prompt ({before!r} against {whole!r})"
        )
    return whole[len(before) :]


def misfit(tokenizer: PreTrainedTokenizerFast, problem: str) -> Refused:
    return Refused(
        template_in(tokenizer),
        "misfit_of_template",
        problem,
        "give a chat_template that writes the generation prompt, the response and then a token that ends the turn",
    )


@lru_cache(maxsize=1024)
def _around(tokenizer: PreTrainedTokenizerFast, _template: str, roles: tuple[str, ...]) -> _Around:
    prompt = [{"role": role, "content": PROBE} for role in roles]
    answered = [*prompt, {"role": "assistant", "content": PROBE}]
    before = render(tokenizer, prompt, generation_prompt=True)
    whole = render(tokenizer, answered)
    gap, found, tail = after_prompt(tokenizer, before, whole).partition(PROBE)
    if not found:
        raise misfit(tokenizer, f"the response is not in what it writes ({whole!r})")
    try:
        going_on = render(tokenizer, [*answered, {"role": "user", "content": PROBE}])
    except Refused:
        return _Around(before, gap, tail, tail)
    return _Around(before, gap, tail, going_on.rpartition(PROBE)[0].rpartition(PROBE)[2])


@lru_cache(maxsize=1024)
def _seams(tokenizer: PreTrainedTokenizerFast, template: str, roles: tuple[str, ...]) -> Seams:
    before, gap, tail, between = _around(tokenizer, template, roles)
    split = control_of(tokenizer).split
    end = _common(split(tail), split(between)).rstrip() or _of_the_last(split(tail), split(between))
    if not end:
        raise misfit(
            tokenizer,
            f"nothing ends a response in every place: {tail!r} follows a last one, {between!r} one before a question",
        )
    marks = {"user": before.rpartition(PROBE)[2].strip(), "assistant": between.strip()}
    plain = {role: mark for role, mark in marks.items() if mark and len(split(mark)) == 1}
    if "user" in plain:
        plain["system"] = plain["user"]
    return Seams(end, tail, gap if gap.isspace() else "", _needs_stem(tokenizer, before, gap), plain)


def _needs_stem(tokenizer: PreTrainedTokenizerFast, before: str, gap: str) -> bool:
    """Whether a prompt's tokens are the beginning of the conversation's only without its white space at the end."""

    def ids(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    def begins(prompt: list[int]) -> bool:
        return all(ids(before + gap + each)[: len(prompt)] == prompt for each in BEGINNINGS)

    return before != before.rstrip() and not begins(ids(before)) and begins(ids(before.rstrip()))


@lru_cache(maxsize=1024)
def _marks(tokenizer: PreTrainedTokenizerFast, template: str, roles: tuple[str, ...]) -> dict[str, str]:
    try:
        return _seams(tokenizer, template, roles).marks
    except Refused:
        return {}


@lru_cache(maxsize=64)
def _control(tokenizer: PreTrainedTokenizerFast, template: str) -> Control:
    try:
        before, _, tail, between = _around(tokenizer, template, ("user",))
        written = before + tail + between
    except Refused:
        written = ""
    tokens = {
        each.content: at
        for at, each in tokenizer.added_tokens_decoder.items()
        if (each.special or (each.content.strip() and each.content in written)) and not BYTE.fullmatch(each.content)
    }
    longest_first = sorted(tokens, key=len, reverse=True)
    pattern = re.compile(f"({'|'.join(map(re.escape, longest_first)) or '(?!)'})")
    return Control(pattern, tokens, frozenset(tokens.values()) - {tokenizer.unk_token_id})


@lru_cache(maxsize=64)
def _opening(tokenizer: PreTrainedTokenizerFast, _template: str) -> str:
    try:
        written = render(tokenizer, [{"role": "user", "content": PROBE}]).partition(PROBE)[0].strip()
    except Refused:
        return ""
    pieces = control_of(tokenizer).split(written)
    return "" if len(pieces) == 1 or written == tokenizer.bos_token else written


def _of_the_last(tail: list[str], between: list[str]) -> str:
    """The control token that ends a last turn where another one ends those before it, as gpt-oss does; else empty."""
    both = all(len(pieces) > 1 and not pieces[0].strip() for pieces in (tail, between))
    return "".join(tail[:2]) if both else ""


def _common(one: list[str], other: list[str]) -> str:
    """The common beginning of two texts in pieces; a control token, every second piece, is never divided."""
    kept = []
    for at, (first, second) in enumerate(zip(one, other, strict=False)):
        if first != second:
            alike = takewhile(lambda two: two[0] == two[1], zip(first, second, strict=False))
            kept.append("" if at % 2 else "".join(one for one, _ in alike))
            break
        kept.append(first)
    return "".join(kept)
