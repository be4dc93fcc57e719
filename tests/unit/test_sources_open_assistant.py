"""Open Assistant: flat messages and trees give the same first turns; the rest is counted."""

from pathlib import Path

import pytest

from scripts.lib.errors import InputError
from tests.sources_data import lines, loaded


def message(name: str, parent: str | None, text: str, **rest) -> dict:
    role = "prompter" if parent is None else "assistant"
    usual = {"role": role, "lang": "en", "deleted": False, "review_result": True, "rank": None, "model_name": None}
    return {"message_id": name, "parent_id": parent, "text": text, **usual, **rest}


MESSAGES = [
    message("a2", "a", "second", rank=1),
    message("a", None, "Question?"),
    message("a1", "a", "first", rank=0),
    message("a3", "a", "made", rank=2, model_name="bot"),
    message("a4", "a", "gone", rank=3, deleted=True),
    message("a5", "a", "refused", rank=4, review_result=False),
    message("a6", "a", "waiting", review_result=None),
    message("a7", "a", "a prompter's", role="prompter"),
    message("a1x", "a1", "a later turn", role="prompter"),
    message("a1xy", "a1x", "a later answer", rank=0),
    message("d", None, "¿Pregunta?", lang="es"),
    message("d1", "d", "uno", rank=0),
    message("d2", "d", "dos", rank=1),
    message("e", None, "Only one?"),
    message("e1", "e", "one", rank=0),
    message("f", None, "Nobody?"),
    message("g", None, "A bad prompt", review_result=False),
    message("g1", "g", "an answer", rank=0),
]


def trees(messages: list[dict]) -> list[dict]:
    """The nested form of flat messages."""

    def nest(parent: dict) -> dict:
        return {**parent, "replies": [nest(child) for child in messages if child["parent_id"] == parent["message_id"]]}

    return [nest(root) for root in messages if root["parent_id"] is None]


def test_open_assistant_flat_nested_and_bare_trees_are_the_same(tmp_path: Path) -> None:
    forms = {
        "flat": MESSAGES,
        "nested": [
            {"message_tree_id": "t", "tree_state": "ready_for_export", "prompt": tree} for tree in trees(MESSAGES)
        ],
        "bare": trees(MESSAGES),
    }
    seen = []
    for name, rows in forms.items():
        path = lines(tmp_path / f"{name}.jsonl", rows)
        content, card = loaded("open_assistant", path, languages=["en"], min_responses=2)
        assert card.pop("rows_read") == len(rows)
        del card["path"], card["files"], card["not_read"]  # the columns' places differ
        seen.append((content, card))
    assert seen[0] == seen[1] == seen[2]
    content, card = seen[0]
    assert content == {
        ("Question?",): {
            "first": ("human", {"rank": 0.0}),
            "second": ("human", {"rank": -1.0}),
            "made": ("bot", {"rank": -2.0}),
        }
    }
    assert card["dropped"] == {
        "deleted": 1,
        "failed_review": 2,
        "language": 2,
        "later_turn": 2,
        "no_response": 1,
        "not_assistant_reply": 1,
        "not_reviewed": 1,
        "too_few_responses": 1,
    }


def test_open_assistant_messages_without_a_way_to_a_root_are_counted(tmp_path: Path) -> None:
    rows = [
        message("a", None, "Question?"),
        message("a1", "a", "answer", rank=0),
        message("lost", "nowhere", "orphan"),
        message("lost1", "lost", "its child"),
        message("x", "y", "a circle"),
        message("y", "x", "a circle"),
        message("z", "x", "into the circle"),
        message("self", "self", "its own parent"),
    ]
    content, card = loaded("open_assistant", lines(tmp_path / "m.jsonl", rows), min_responses=1)
    assert list(content) == [("Question?",)]
    assert card["dropped"] == {"no_way_to_a_root": 6}
    with pytest.raises(InputError, match=r"line 3.*message_id a stands twice"):
        loaded("open_assistant", lines(tmp_path / "n.jsonl", [*rows[:2], message("a", None, "Other?")]))


def test_open_assistant_trees_that_moderators_stopped_are_dropped(tmp_path: Path) -> None:
    stopped = [{"tree_state": "halted_by_moderator", "prompt": tree} for tree in trees(MESSAGES)]
    with pytest.raises(InputError, match=r"none of 5 rows .*tree_was_stopped"):
        loaded("open_assistant", lines(tmp_path / "m.jsonl", stopped))
