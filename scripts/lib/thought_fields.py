"""Thoughts as chat templates take them: in the text of a turn, or in a field of its message.

Nothing of a thought is lost in between: a template that leaves one out of the response is refused.
"""

import re
from functools import lru_cache

from transformers import PreTrainedTokenizerFast

from scripts.lib.ids import Messages
from scripts.lib.templates import Refused, render, template_in
from scripts.lib.thoughts import CLOSE, OPEN, parted

FIELDS = ("reasoning_content", "thinking", "reasoning")
"""Fields of a message in which templates take a thought: as most name it, as gpt-oss does, and others. transformers
gives them one from the other, but not in the version that goes with vLLM."""
ANSWER, THOUGHT = "0answer0", "0thought0"
"""Stand for the two parts of a turn, to find where a template writes them."""


def as_taken(tokenizer: PreTrainedTokenizerFast, messages: Messages) -> Messages:
    """The messages with thoughts in the field in which the chat template takes them, if it has one."""
    thinking = [at for at, turn in enumerate(messages) if turn["role"] == "assistant" and parted(turn["content"])]
    field = field_of(tokenizer) if thinking else None
    if field is None:
        return messages
    taken = list(messages)
    for at in thinking:
        thought, answer = parted(messages[at]["content"])
        taken[at] = {"role": "assistant", "content": answer, field: thought}
    return taken


def field_of(tokenizer: PreTrainedTokenizerFast) -> str | None:
    """The field in which the chat template takes a thought; None if it writes none of them."""
    return _field(tokenizer, tokenizer.chat_template)


@lru_cache(maxsize=64)
def _field(tokenizer: PreTrainedTokenizerFast, _template: str) -> str | None:
    for field in FIELDS:
        turn = {"role": "assistant", "content": ANSWER, field: THOUGHT}
        try:
            if THOUGHT in render(tokenizer, [{"role": "user", "content": ANSWER}, turn]):
                return field
        except Refused:
            continue
    return None


def refuse_loss(tokenizer: PreTrainedTokenizerFast, turn: dict[str, str], written: str) -> None:
    """Raises Refused unless all parts of a turn with thoughts, as the template gets it, are in what it writes."""
    said = [value for name, value in turn.items() if name != "role"]
    if len(said) == 1 and CLOSE not in turn["content"]:
        return
    parts = [part.strip() for text in said for part in re.split(f"{OPEN}|{CLOSE}", text)]
    if not all(part in written for part in parts):
        raise Refused(
            template_in(tokenizer),
            "leaves_out_thoughts",
            f"leaves out what an assistant thinks ({next(part for part in parts if part not in written)[:80]!r})",
            "give a chat_template that writes it, or leave the reasoning out where the source is read",
        )
