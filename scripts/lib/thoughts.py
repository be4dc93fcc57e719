"""An assistant's reasoning in the text of its turn: ``<think>`` ... ``</think>`` before the answer.

A response is one text, and this is how open models write one; so a source puts reasoning that it has in a field of its
own into the text, and a chat template that takes it in a field gets it there (scripts/lib/thought_fields.py).
"""

import re

OPEN, CLOSE = "<think>", "</think>"
FORM = re.compile(rf"{OPEN}\n*(.*?)\n*{CLOSE}\n*(.*)", re.DOTALL)


def with_thought(thought: str, answer: str) -> str:
    """The text of a turn. Raises ValueError for a thought that would end early."""
    if CLOSE in thought:
        raise ValueError(f"holds {CLOSE}")
    return f"{OPEN}\n{thought.strip()}\n{CLOSE}\n\n{answer.strip()}"


def parted(text: str) -> tuple[str, str] | None:
    """The thought and the answer of a text that :func:`with_thought` or a model wrote; None for any other."""
    found = FORM.fullmatch(text) if text.startswith(OPEN) else None
    return (found[1], found[2]) if found else None
