"""A row's prompt and its responses, wherever in the row their turns stand."""

from typing import Any

from scripts.lib.config.sources import PromptColumns
from scripts.lib.ids import Messages, normalise
from scripts.sources.row import Row
from scripts.sources.structure import structured

Side = tuple[Messages, str]
"""(prompt, response)."""


def prompt_of(row: Row, columns: PromptColumns) -> Messages:
    """The prompt in a row's own columns: system turn, earlier turns, and the prompt with its input. Empty if none."""
    turns = row.messages(columns.prompt)
    if columns.input and (more := row.text(columns.input)).strip():
        if not turns or turns[-1]["role"] != "user":
            row.refuse(columns.input, more, "what a user's turn goes on with", "fix or remove the row")
        turns = [*turns[:-1], {"role": "user", "content": f"{turns[-1]['content']}\n\n{more}"}]
    return _with_context(row, columns, turns)


def side_of(row: Row, column: str, columns: PromptColumns) -> Side | str:
    """The prompt and the response of a column; else the reason why the column holds no response.

    The column has the response's text, or messages that end in it: that turn alone, the end of the conversation that
    the row's prompt begins, or the whole of it. Or it has the assistant's texts in a list, and the prompt's column the
    user's.
    """
    if spoken := _in_turn(row, column, columns):
        prompt = joined(_with_context(row, columns, []), spoken[:-1])
        return "prompts_differ" if prompt is None else (prompt, spoken[-1]["content"])
    turns = row.turns(column)
    if turns is None:
        return prompt_of(row, columns), row.text(column)
    if not turns or turns[-1]["role"] != "assistant":
        return "not_assistant_reply"
    before = turns[:-1]
    if before and columns.prompt not in row.values:
        prompt = joined(_with_context(row, columns, []), before)
    else:
        prompt = joined(prompt_of(row, columns), before)
    return "prompts_differ" if prompt is None else (prompt, turns[-1]["content"])


def joined(context: Messages, turns: Messages) -> Messages | None:
    """The one conversation that a row's prompt and the turns of a response's column are parts of; None if of two.

    The prompt may stand within the turns, overlap their beginning, or end where they begin.
    """
    if not context or not turns:
        return turns or context
    ours, theirs = _spelt(context), _spelt(turns)
    if any(theirs[at : at + len(ours)] == ours for at in range(len(theirs) - len(ours) + 1)):
        return turns
    for shared in range(min(len(ours), len(theirs)), 0, -1):
        if ours[-shared:] == theirs[:shared]:
            return context + turns[shared:]
    follows = turns[0]["role"] == "user" and context[-1]["role"] in ("assistant", "system")
    return context + turns if follows else None


def _in_turn(row: Row, column: str, columns: PromptColumns) -> Messages | None:
    """The conversation of two columns that hold lists of texts of one length, as LMSYS stores arena battles."""
    asked, said = (_texts(row.get(name)) for name in (columns.prompt, column))
    if columns.input or not asked or not said or len(asked) != len(said):
        return None
    row.account.notes["lists of texts as the turns of a conversation"] += 1
    return [
        {"role": role, "content": text}
        for both in zip(asked, said, strict=True)
        for role, text in zip(("user", "assistant"), both, strict=True)
    ]


def _texts(value: Any) -> list[str] | None:
    """A list of texts, "" for null, or text that holds one; None for anything else."""
    items = structured(value)
    if not isinstance(items, list) or not all(item is None or isinstance(item, str) for item in items):
        return None
    return [item or "" for item in items]


def _spelt(turns: Messages) -> list[tuple[str, str]]:
    return [(turn["role"], normalise(turn["content"])) for turn in turns]


def _with_context(row: Row, columns: PromptColumns, turns: Messages) -> Messages:
    system = [turn for turn in turns[:1] if turn["role"] == "system"]
    if columns.system and (text := row.text(columns.system)).strip():
        if system and normalise(system[0]["content"]) != normalise(text):
            row.refuse(columns.system, text, "the system turn that the prompt begins with", "fix or remove the row")
        system = system or [{"role": "system", "content": text}]
    rest = turns[1:] if turns and turns[0]["role"] == "system" else turns
    return system + (_history(row, columns.history) if columns.history else []) + rest


def _history(row: Row, column: str) -> Messages:
    """Messages, or [user, assistant] pairs of text."""
    items = structured(row.value(column))
    if not isinstance(items, list) or not any(isinstance(item, list | tuple) for item in items):
        return row.messages(column)
    for item in items:
        if not isinstance(item, list | tuple) or len(item) != 2 or not all(isinstance(text, str) for text in item):
            row.refuse(column, item, "a pair of a user's and an assistant's text")
    return [
        {"role": role, "content": text}
        for item in items
        for role, text in zip(("user", "assistant"), item, strict=True)
    ]
