"""One row of a source, or a part of one: typed readers of its columns, and an account of what is left unread."""

import math
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from scripts.lib.errors import InputError
from scripts.lib.ids import Messages
from scripts.lib.thoughts import with_thought
from scripts.sources.structure import messages_in, structured

ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
}
"""Roles as spelled in OpenAI-style, ShareGPT and OASST messages -> as spelled here."""
NO_NUMBER = ("", "n/a", "na", "none", "null")
PARTS_OF_A_TURN = frozenset(
    [
        "reasoning",
        "reasoning_content",
        "thinking",
        "thought",
        "tool_calls",
        "tool_call_id",
        "function_call",
        "image",
        "images",
        "audio",
    ]
)
"""Fields of a message, beside its content, that chat templates write or models read."""


@dataclass
class Account:
    """What the rows of a source hold, and what becomes of it; columns of parts are written with dots.

    held: column -> rows with a value. read: the columns that the source's format has read in any row. notes: what was
    read otherwise than it is written -> how often.
    """

    held: Counter[str] = field(default_factory=Counter)
    read: set[str] = field(default_factory=set)
    notes: Counter[str] = field(default_factory=Counter)

    def unread(self) -> dict[str, int]:
        """Column -> rows, of what no row's reader has asked for."""
        return {name: rows for name, rows in sorted(self.held.items()) if name not in self.read}


@dataclass(frozen=True)
class Row:
    """One row, or a part of one, as the data has it. Its readers raise InputError with the position.

    within: the column that a part stands in, with a dot after it. left_out: fields of messages to leave out.
    reasoning: the field of an assistant's messages that is read into their text.
    """

    where: str
    values: dict[str, Any]
    account: Account = field(default_factory=Account)
    within: str = ""
    left_out: frozenset[str] = frozenset()
    reasoning: str | None = None

    def __post_init__(self) -> None:
        held, within = self.account.held, self.within
        for name, value in self.values.items():
            if not blank(value):
                held[f"{within}{name}"] += 1

    def has(self, column: str) -> bool:
        return self.values.get(column) is not None

    def get(self, column: str) -> Any:
        """The value of a column, None if the row lacks it."""
        self.account.read.add(self.within + column)
        return self.values.get(column)

    def value(self, column: str) -> Any:
        """The value of a column that every row must have; None if the data says so."""
        if column not in self.values:
            raise InputError(
                self.where,
                f"no column {column!r}; it has {', '.join(map(str, self.values)) or 'none'}",
                "set the source's kind to the data's format; kinds responses, pairs and comparisons take the columns' "
                "names",
            )
        self.account.read.add(self.within + column)
        return self.values[column]

    def text(self, column: str) -> str:
        """Text; "" for null."""
        value = self.value(column)
        if value is not None and not isinstance(value, str):
            self.refuse(column, value, "text")
        return value or ""

    def items(self, column: str) -> list:
        """A list, or text that holds one; [] for null."""
        value = structured(self.value(column))
        if value is not None and not isinstance(value, list):
            self.refuse(column, value, "a list")
        return value or []

    def parts(self, column: str) -> "list[Row]":
        """A list of objects, each as a row of its own."""
        return [self._part(column, item, f"{column}[{at}]") for at, item in enumerate(self.items(column))]

    def part(self, column: str) -> "Row":
        """An object, or text that holds one, as a row of its own; without columns if the data has null or nothing."""
        value = structured(self.get(column))
        return self._part(column, {} if value is None else value, column)

    def _part(self, column: str, value: Any, place: str) -> "Row":
        if not isinstance(value, dict):
            self.refuse(column, value, "an object")
        own = f"{column}."
        within = self.within if self.within.endswith(own) else self.within + own  # replies of replies are replies
        return Row(f"{self.where}, {place}", value, self.account, within, self.left_out, self.reasoning)

    def number(self, column: str) -> float | None:
        """A number, not necessarily finite; None for null, "N/A" and the like."""
        value = self.value(column)
        if value is None or (isinstance(value, str) and value.strip().lower() in NO_NUMBER):
            return None
        try:
            return math.nan if isinstance(value, bool) else float(value)
        except OverflowError:  # an integer too large for a float
            return math.inf
        except (TypeError, ValueError):
            self.refuse(column, value, "a number")

    def turns(self, column: str) -> Messages | None:
        """Messages, or text that holds messages; None for other text and null.

        Accepts {role, content} and ShareGPT's {from, value}; an empty system turn is left out. Refuses a turn with
        more than its content.
        """
        value = self.value(column)
        if isinstance(value, str):
            try:
                value = messages_in(value)
            except ValueError as error:
                self.refuse(column, self.values[column], f"text: it begins like {error}")
        if not isinstance(value, list):
            return None
        read = [_turn(self._part(column, item, f"{column}[{at}]")) for at, item in enumerate(value)]
        return [turn for turn in read if turn["role"] != "system" or turn["content"].strip()]

    def messages(self, column: str) -> Messages:
        """A prompt or a conversation, as :meth:`turns`; one user turn for text; [] for null or empty text."""
        turns = self.turns(column)
        if turns is not None:
            return turns
        text = self.text(column)
        return [{"role": "user", "content": text}] if text.strip() else []

    def refuse(
        self,
        column: str,
        value: Any,
        wanted: str,
        remedy: str = "fix or remove the row, or set the source's kind to the data's format",
    ) -> None:
        shown = repr(value)
        shown = shown if len(shown) <= 80 else shown[:80] + "…"
        raise InputError(self.where, f"column {column!r} is {shown}, not {wanted}", remedy)


def blank(value: Any) -> bool:
    """Whether a value says nothing: null, white space, or an empty list or object."""
    return value is None or (not value.strip() if isinstance(value, str) else value in ([], {}))


@lru_cache(maxsize=1024)
def spelt(name: Any) -> str:
    """A column's name in the spelling by which such names are known."""
    return str(name).lower().replace("-", "_").replace(" ", "_")


def _turn(turn: Row) -> dict[str, str]:
    who, what = ("from", "value") if "from" in turn.values else ("role", "content")
    role = ROLES.get(turn.text(who).lower())
    if role is None:
        turn.refuse(who, turn.text(who), f"one of the roles {', '.join(ROLES)}")
    content, read = turn.text(what), turn.left_out
    if turn.reasoning and role == "assistant" and not blank(turn.get(turn.reasoning)):
        content, read = _with_reasoning(turn, content), read | {turn.reasoning}
    for name, value in turn.values.items():
        if spelt(name) in PARTS_OF_A_TURN and not blank(value) and name not in read:
            turn.refuse(
                name,
                value,
                "read: a turn is a role and a content",
                f"add {name} to the source's leave_out; or, if it is an assistant's reasoning in words, name it as the "
                "source's reasoning",
            )
    return {"role": role, "content": content}


def _with_reasoning(turn: Row, content: str) -> str:
    """An assistant's text with its reasoning; a turn that says nothing has no reasoning either."""
    thought = turn.text(turn.reasoning)
    if not content.strip():
        return content
    try:
        text = with_thought(thought, content)
    except ValueError as error:
        turn.refuse(turn.reasoning, thought, f"one thought: it {error}")
    turn.account.notes[f"{turn.reasoning} as <think> in the text"] += 1
    return text
