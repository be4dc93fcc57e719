"""Open Assistant (OASST1, OASST2; Köpf et al., 2023): first turns of conversation trees.

Accepts trees, nested under ``prompt`` or as bare messages with ``replies``, and flat messages with ``parent_id``.
Every message that is not the root of a tree with replies counts as one response read: kept, or dropped by reason.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from scripts.lib.config.sources import OpenAssistantSource
from scripts.lib.errors import InputError
from scripts.sources.records import Dropped, Record
from scripts.sources.row import Row

STOPPED = ("aborted_low_grade", "halted_by_moderator")
"""States of trees that reviewers or moderators removed from the collection."""


@dataclass
class Tree:
    """A root message, its direct replies, and the number of messages below those."""

    root: Row
    state: str
    replies: list[Row] = field(default_factory=list)
    later: int = 0


def records(rows: Iterable[Row], spec: OpenAssistantSource) -> Iterator[Record | Dropped]:
    """First-turn responses, with the annotation ``rank``: minus the rank among siblings, so that higher is better."""
    flat: list[Row] = []
    for row in rows:
        if isinstance(row.values.get("prompt"), dict):
            yield from first_turn(nested(row.part("prompt"), _state(row)), spec)
        elif row.has("replies"):
            yield from first_turn(nested(row, _state(row)), spec)
        else:
            flat.append(row)
    trees, strays = planted(flat)
    for tree in trees:
        yield from first_turn(tree, spec)
    yield from strays


def nested(root: Row, state: str) -> Tree:
    """The tree below a message that contains its replies."""
    tree = Tree(root, state, _replies(root))
    below = [message for reply in tree.replies for message in _replies(reply)]
    while below:
        tree.later += 1
        below += _replies(below.pop())
    return tree


def planted(messages: list[Row]) -> tuple[list[Tree], list[Dropped]]:
    """Trees built from flat messages, in the roots' order, and the messages that belong to no root."""
    rows: dict[str, Row] = {}
    for row in messages:
        if rows.setdefault(row.text("message_id"), row) is not row:
            raise InputError(row.where, f"message_id {row.text('message_id')} stands twice", "remove one of the rows")
    roots: dict[str, str | None] = {}
    """message_id -> its root; None if it has none."""
    for name in rows:
        path, at = {name: None}, name
        while at not in roots and (parent := rows[at].text("parent_id")):
            if parent not in rows or parent in path:
                roots[at] = None
            else:
                at = parent
                path[at] = None
        roots.update(dict.fromkeys(path, roots.get(at, at)))
    trees = {name: Tree(row, _state(row)) for name, row in rows.items() if roots[name] == name}
    strays = 0
    for name, row in rows.items():
        root = roots[name]
        if root is None:
            strays += 1
        elif row.text("parent_id") == root:
            trees[root].replies.append(row)
        elif name != root:
            trees[root].later += 1
    return list(trees.values()), [Dropped("no_way_to_a_root", strays)] if strays else []


def first_turn(tree: Tree, spec: OpenAssistantSource) -> Iterator[Record | Dropped]:
    """The replies to a root, unless its tree, its language or a review excludes it or them."""
    if tree.later:
        yield Dropped("later_turn", tree.later)
    reason = "tree_was_stopped" if tree.state in STOPPED else _flaw(tree.root, "prompter")
    if reason is None and spec.languages is not None and tree.root.text("lang") not in spec.languages:
        reason = "language"
    if reason is None and not tree.replies:
        reason = "no_response"
    if reason is not None:
        yield Dropped(reason, max(1, len(tree.replies)))
        return
    prompt = tree.root.messages("text")
    for reply in tree.replies:
        if reason := _flaw(reply, "assistant"):
            yield Dropped(reason)
        else:
            rank = reply.number("rank") if "rank" in reply.values else None
            generator = reply.text("model_name") if reply.has("model_name") else "human"
            yield Record(prompt, reply.text("text"), generator, {"rank": None if rank is None else 0.0 - rank})


def _replies(message: Row) -> list[Row]:
    return message.parts("replies") if message.has("replies") else []


def _state(row: Row) -> str:
    return row.text("tree_state") if row.has("tree_state") else ""


def _flaw(message: Row, role: str) -> str | None:
    """Why a message is not part of the data, if so; an unfinished review is ignored."""
    if message.text("role") != role:
        return "not_assistant_reply" if role == "assistant" else "not_a_prompt"
    if message.get("deleted"):
        return "deleted"
    if "review_result" in message.values and not message.get("review_result"):
        return "failed_review" if message.has("review_result") else "not_reviewed"
    return None
