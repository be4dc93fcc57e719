"""Whole conversations from sources: which are kept, what is counted, and the step."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.lib.ids import conversation_id
from scripts.lib.schemas import CONVERSATIONS
from scripts.lib.tables import read_table
from scripts.sources.demonstrations import Conversations, flaw
from scripts.sources.rows import read_rows
from tests.sources_data import lines, spec_of

ROLES = ("system", "user", "assistant")
MESSAGES = st.lists(st.tuples(st.sampled_from(ROLES), st.sampled_from(["a", "b ", " ", "é"])), max_size=6)


def said(*texts: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(texts)]


def found_in(path: Path, rows: list[dict], **options) -> tuple[list, dict]:
    spec = spec_of("conversations", lines(path, rows), **options)
    conversations = Conversations(read_rows(spec), spec)
    return [conversation for _, conversation in conversations], conversations.counts()


def test_ultrachat(tmp_path: Path) -> None:
    """Its columns: the first question, an id of it, and the messages, of which all answers are learnt."""
    rows = [
        {"prompt": "q", "prompt_id": "1", "messages": said("q", "x", "more", "y")},
        {"prompt": "r", "prompt_id": "2", "messages": said("r", "z ", "left out")},
        {"prompt": "q", "prompt_id": "1", "messages": said("q ", "x", "more", "y")},
    ]
    kept, counts = found_in(tmp_path / "t.jsonl", rows)
    assert kept == [said("q", "x", "more", "y"), said("r", "z")]
    assert counts == {
        "rows_read": 3,
        "conversations": 2,
        "answers": 3,
        "last_questions_left_out": 1,
        "dropped": {"duplicate_conversation": 1},
    }


def test_sharegpt_and_a_system_column(tmp_path: Path) -> None:
    rows = [{"sys": "be kind", "turns": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "x"}]}]
    kept, _ = found_in(tmp_path / "t.jsonl", rows, columns={"messages": "turns", "system": "sys"})
    assert kept == [[{"role": "system", "content": "be kind"}, *said("q", "x")]]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(MESSAGES, min_size=1, max_size=8), st.sampled_from([None, 1, 2]))
def test_every_row_is_kept_or_counted(tmp_path: Path, drawn: list, limit: int | None) -> None:
    rows = [{"messages": [{"role": role, "content": text} for role, text in turns]} for turns in drawn]
    options = {} if limit is None else {"limit": limit}
    kept, counts = found_in(tmp_path / "t.jsonl", rows, **options)
    assert counts["rows_read"] == len(rows) == len(kept) + sum(counts["dropped"].values())
    assert len({conversation_id(each) for each in kept}) == len(kept) == counts["conversations"]
    assert limit is None or len(kept) <= limit
    for each in kept:
        roles = [turn["role"] for turn in each if turn["role"] != "system"]
        assert roles == ["user", "assistant"] * (len(roles) // 2) and roles
        assert all(turn["content"].strip() for turn in each)


@pytest.mark.parametrize(
    ("roles", "reason"),
    [
        ("", "no_answer"),
        ("su", "no_answer"),
        ("au", "turns_out_of_order"),
        ("uaa", "turns_out_of_order"),
        ("uua", "turns_out_of_order"),
        ("usa", "turns_out_of_order"),
        ("sua", None),
        ("uaua", None),
    ],
)
def test_turns_out_of_order(roles: str, reason: str | None) -> None:
    assert flaw([{"role": {role[0]: role for role in ROLES}[each], "content": "x"} for each in roles]) == reason


def test_the_step(tmp_path: Path) -> None:
    path = lines(tmp_path / "t.jsonl", [{"messages": said("q", "x")}, {"messages": said("q")}])
    spec = spec_of("conversations", path)
    out, card = tmp_path / "conversations.parquet", tmp_path / "card.json"
    flags = ["--name", "talk", "--spec", spec.model_dump_json(), "--out", str(out), "--card", str(card)]
    command = [sys.executable, "-m", "scripts.sources.demonstrations", *flags]
    subprocess.run(command, check=True, capture_output=True)
    table = read_table(out, CONVERSATIONS)
    assert table["conversation"].tolist() == [said("q", "x")]
    assert table["conversation_id"].tolist() == [conversation_id(said("q", "x"))]
    told = json.loads(card.read_text())
    assert told["dropped"] == {"no_answer": 1} and told["files"] == ["t.jsonl"]
    lines(path, [{"messages": said("q")}])
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and "none of 1 rows holds a conversation with an answer" in done.stderr
