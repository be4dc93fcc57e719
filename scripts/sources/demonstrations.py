"""Reads the whole conversations of a source, from which a policy learns every answer.

A conversation is questions and answers in turn, perhaps after a system turn. A last question without an answer is left
out of it, and counted; any other order of turns drops the row.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.config.sources import ConversationsSource, PromptColumns
from scripts.lib.errors import InputError
from scripts.lib.ids import Messages, conversation_id, normalise
from scripts.lib.schemas import CONVERSATIONS
from scripts.lib.tables import write_json, writing
from scripts.sources.conversations import prompt_of
from scripts.sources.row import Account, Row
from scripts.sources.rows import file_names, read_rows

PART = 4096
"""Conversations in memory at a time."""

log = logging.getLogger(__name__)


class Conversations:
    """The conversations in some rows, each once, in the order of the rows; ``counts`` are complete after the last."""

    def __init__(self, rows: Iterable[Row], spec: ConversationsSource) -> None:
        self.rows, self.spec = rows, spec
        self.dropped: Counter[str] = Counter()
        self.read = self.kept = self.answers = self.unanswered = 0

    def __iter__(self) -> Iterator[tuple[str, Messages]]:
        """(id, conversation)."""
        columns = PromptColumns(prompt=self.spec.columns.messages, system=self.spec.columns.system)
        seen: set[str] = set()
        for row in self.rows:
            self.read += 1
            turns = prompt_of(row, columns)
            conversation = [{"role": turn["role"], "content": normalise(turn["content"])} for turn in turns]
            unanswered = bool(conversation) and conversation[-1]["role"] == "user"
            conversation = conversation[:-1] if unanswered else conversation
            its_id = conversation_id(conversation)
            if reason := self._reason_to_drop(conversation, its_id, seen):
                self.dropped[reason] += 1
                continue
            seen.add(its_id)
            self.kept += 1
            self.unanswered += unanswered
            self.answers += sum(turn["role"] == "assistant" for turn in conversation)
            yield its_id, conversation

    def _reason_to_drop(self, conversation: Messages, its_id: str, seen: set[str]) -> str | None:
        if reason := flaw(conversation):
            return reason
        if its_id in seen:
            return "duplicate_conversation"
        return "over_limit" if self.spec.limit is not None and self.kept >= self.spec.limit else None

    def counts(self) -> dict:
        """For the card: ``rows_read == conversations + sum(dropped.values())``."""
        return {
            "rows_read": self.read,
            "conversations": self.kept,
            "answers": self.answers,
            "last_questions_left_out": self.unanswered,
            "dropped": dict(sorted(self.dropped.items())),
        }


def flaw(conversation: Messages) -> str | None:
    """Why nothing can be learnt from a normalised conversation; None if something can."""
    roles = [turn["role"] for turn in conversation]
    roles = roles[1:] if roles[:1] == ["system"] else roles
    if "assistant" not in roles:
        return "no_answer"
    if roles != ["user", "assistant"] * (len(roles) // 2):
        return "turns_out_of_order"
    return None if all(turn["content"] for turn in conversation) else "empty_turn"


def main() -> None:
    parser = cli.parser_of("scripts.sources.demonstrations", __doc__)
    parser.add_argument("--name", required=True, help="the source's name in the configuration")
    parser.add_argument("--spec", type=cli.spec_of(ConversationsSource), required=True, help="JSON of the source")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--card", type=Path, required=True)
    arguments = parser.parse_args()

    spec, account = arguments.spec, Account()
    found = Conversations(read_rows(spec, account), spec)
    with writing(arguments.out, CONVERSATIONS) as table:
        part: list[tuple[str, Messages]] = []
        for each in found:
            part.append(each)
            if len(part) == PART:
                table.write(_frame(part))
                part = []
        table.write(_frame(part))
        counts = found.counts()
        if not found.kept:
            raise InputError(
                spec.path,
                f"none of {found.read} rows holds a conversation with an answer ({counts['dropped']})",
                "check that columns names the source's messages",
            )
    card = {
        "source": arguments.name,
        "path": spec.path,
        "revision": spec.revision,
        "files": file_names(spec),
        **counts,
        "not_read": account.unread(),
        "read_as": dict(sorted(account.notes.items())),
    }
    write_json(card, arguments.card)
    log.info("%s: %d conversations, dropped %s", arguments.name, found.kept, counts["dropped"])


def _frame(part: list[tuple[str, Messages]]) -> pd.DataFrame:
    return pd.DataFrame(part, columns=list(CONVERSATIONS.columns))


if __name__ == "__main__":
    cli.run(main)
