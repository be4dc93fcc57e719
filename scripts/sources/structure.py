"""Lists and objects that arrive as text: JSON held in a string, or Python's or numpy's printed form (a CSV export)."""

import ast
import json
import re
import warnings
from typing import Any

SPELT = re.compile(r"""['"](role|from)['"]\s*:\s*['"](system|user|human|prompter|assistant|gpt)['"]""", re.IGNORECASE)
"""A turn's role, in JSON or as Python prints it."""
BETWEEN = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|\}\s+\{""")
"""A printed text, or where numpy prints the end of one object and the beginning of the next: without a comma."""
ARRAY = re.compile(r"array\((.*?)(,\s*dtype=object)?\)", re.DOTALL)


def structured(value: Any) -> Any:
    """The list or object that a text holds; any other value unchanged."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{", "array(")):
        return value
    found = parsed(value)
    return value if found is None else found


def messages_in(text: str) -> list[dict[str, Any]] | None:
    """The messages that a text holds; None if it is plain text, which may quote messages.

    Raises ValueError for messages that are cut off, or printed in a form that cannot be read.
    """
    start = text.lstrip()
    if not re.match(r"(array\()?\[\s*\{", start) or not SPELT.search(start):
        return None
    found = parsed(start)
    if found is None and not _quoted(start):
        raise ValueError("messages as text, cut off or not readable")
    return found if isinstance(found, list) and all(_is_message(each) for each in found) else None


def parsed(text: str) -> list | dict | None:
    """A list or an object in JSON, or as Python or numpy prints it; None if the text is neither."""
    for read in (json.loads, _printed):
        try:
            found = read(text.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, list | dict):
            return found
    return None


def _printed(text: str) -> Any:
    whole = ARRAY.fullmatch(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes in what is no Python
        return ast.literal_eval(BETWEEN.sub(lambda at: at[1] or "}, {", whole[1] if whole else text))


def _is_message(item: Any) -> bool:
    return isinstance(item, dict) and ({"role", "content"} <= item.keys() or {"from", "value"} <= item.keys())


def _quoted(text: str) -> bool:
    """Whether a text goes on after whole messages: it is about them, and is no conversation itself."""
    ends = [at.end() for at in re.finditer(r"\}\s*\]", text)]
    return any(end < len(text.rstrip()) and parsed(text[:end]) is not None for end in ends[:8])
