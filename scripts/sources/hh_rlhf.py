"""HH-RLHF (Bai et al., 2022): two transcripts of a dialogue that differ in the assistant's last turn."""

import re
from collections.abc import Iterable, Iterator

from scripts.lib.ids import Messages
from scripts.sources.conversations import Side
from scripts.sources.generic import pair
from scripts.sources.records import Dropped, Record
from scripts.sources.row import Row

TURN = re.compile(r"(?:^|\n\n)(Human|Assistant):")
ROLES = {"Human": "user", "Assistant": "assistant"}


def records(rows: Iterable[Row]) -> Iterator[Record | Dropped]:
    """Annotation ``preferred`` (1 chosen, 0 rejected); the prompt is everything before the last turn."""
    for row in rows:
        sides = [transcript(row.text(column)) for column in ("chosen", "rejected")]
        if any(not turns for turns in sides):
            yield Dropped("not_a_transcript", 2)
        else:
            yield from pair([_split(turns) for turns in sides], scores=[{}, {}])


def transcript(text: str) -> Messages:
    """The turns of "\\n\\nHuman: ... \\n\\nAssistant: ..."; empty if the text does not begin with a turn."""
    before, *parts = TURN.split(text)
    if before.strip():
        return []
    return [{"role": ROLES[who], "content": said.strip()} for who, said in zip(parts[::2], parts[1::2], strict=True)]


def _split(turns: Messages) -> Side | str:
    return (turns[:-1], turns[-1]["content"]) if turns[-1]["role"] == "assistant" else "not_assistant_reply"
