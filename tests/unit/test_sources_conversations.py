"""A conversation is one prompt and one response, wherever in its row the turns stand; what is not read is refused."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.lib.config.sources import PromptColumns
from scripts.lib.errors import InputError
from scripts.sources.conversations import joined, side_of
from scripts.sources.load import load, records_of
from scripts.sources.row import PARTS_OF_A_TURN, Row
from scripts.sources.rows import CONTEXT
from tests.sources_data import lines, loaded, spec_of

COLUMNS = PromptColumns(system="sys", history="past", input="about")
said = st.sampled_from(["a", "b", "c d", "é\nf"])


@st.composite
def conversations(draw) -> list[dict[str, str]]:
    """An optional system turn, then turns of user and assistant, the last of which is the assistant's."""
    texts = draw(st.lists(said, min_size=2, max_size=8).filter(lambda texts: len(texts) % 2 == 0))
    turns = [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(texts)]
    return draw(st.sampled_from([[], [{"role": "system", "content": "be brief"}]])) + turns


@st.composite
def rows(draw) -> tuple[list[dict[str, str]], dict]:
    """A conversation, and a row that holds it: its turns divided among the columns in any way."""
    whole = draw(conversations())
    row: dict = {"sys": None, "past": None, "about": ""}
    rest = whole[:-1]
    if rest[0]["role"] == "system" and draw(st.booleans()):
        row["sys"], rest = rest[0]["content"], rest[1:]
    system, turns = (rest[:1], rest[1:]) if rest[0]["role"] == "system" else ([], rest)
    earlier = 2 * draw(st.integers(0, (len(turns) - 1) // 2))
    if earlier and not system and draw(st.booleans()):
        past, turns = turns[:earlier], turns[earlier:]
        pairs = [[past[at]["content"], past[at + 1]["content"]] for at in range(0, earlier, 2)]
        row["past"] = draw(st.sampled_from([past, pairs, json.dumps(past), repr(pairs)]))
    at = len(system + turns) if row["past"] else draw(st.integers(0, len(turns) - 1)) + len(system)
    prompt = system + turns
    row["prompt"] = prompt
    if len(prompt) == 1 and draw(st.booleans()):
        row["prompt"] = prompt[0]["content"]
    end = draw(st.sampled_from(["text", "turn", "tail", "all"]))
    tail = {"text": [], "turn": [], "tail": prompt[at:], "all": prompt}[end]
    row["side"] = whole[-1]["content"] if end == "text" else [*tail, whole[-1]]
    return whole, row


@given(rows())
def test_the_turns_of_a_row_are_one_conversation_wherever_they_stand(case) -> None:
    whole, row = case
    assert side_of(Row("row", row), "side", COLUMNS) == (whole[:-1], whole[-1]["content"])


@given(conversations(), st.data())
def test_joined_conversations_hold_both_parts_or_are_none(whole, data) -> None:
    one, other = (
        whole[start : data.draw(st.integers(start + 1, len(whole)))]
        for start in [data.draw(st.integers(0, len(whole) - 1)) for _ in range(2)]
    )
    found = joined(one, other)
    if found is not None:
        assert found[len(found) - len(other) :] == other or found == other
        assert any(found[at : at + len(one)] == one for at in range(len(found)))


def test_a_prompt_and_a_conversation_that_disagree_are_counted(tmp_path: Path) -> None:
    user, answer = {"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}
    good = {"prompt": "Q", "chosen": [user, answer], "rejected": [user, {"role": "assistant", "content": "B"}]}
    other = good | {"prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "R"}]}
    _, card = loaded("pairs", lines(tmp_path / "t.jsonl", [good, other]))
    assert card["dropped"] == {"prompts_differ": 2}


def test_system_history_and_input_are_read_where_they_are_named(tmp_path: Path) -> None:
    rows = [
        {
            "sys": f"Answer in {language}.",
            "past": [["Hi", "Hello"]],
            "prompt": "Translate.",
            "about": "seven",
            "chosen": word,
            "rejected": "7",
        }
        for language, word in (("French", "sept"), ("German", "sieben"))
    ]
    columns = {"system": "sys", "history": "past", "input": "about"}
    content, card = loaded("pairs", lines(tmp_path / "t.jsonl", rows), columns=columns)
    assert content == {
        (f"Answer in {language}.", "Hi", "Hello", "Translate.\n\nseven"): {
            word: ("src", {"preferred": 1.0}),
            "7": ("src", {"preferred": 0.0}),
        }
        for language, word in (("French", "sept"), ("German", "sieben"))
    }
    assert card["not_read"] == {}
    twice = rows[0] | {"prompt": [{"role": "system", "content": "Else."}, {"role": "user", "content": "Q"}]}
    with pytest.raises(InputError, match=r"line 1: column 'sys' .* not the system turn that the prompt begins with"):
        loaded("pairs", lines(tmp_path / "t.jsonl", [twice]), columns=columns)


STORED = {
    "ultrafeedback": {"instruction": "Q", "completions": [{"model": "m", "response": "A"}]},
    "ultrafeedback_binarized": {"prompt": "Q", "chosen": "A", "rejected": "B"},
    "hh_rlhf": {"chosen": "\n\nHuman: Q\n\nAssistant: A", "rejected": "\n\nHuman: Q\n\nAssistant: B"},
    "alpaca_eval": {"instruction": "Q", "output": "A", "generator": "m"},
    "responses": {"prompt": "Q", "response": "A", "generator": "m"},
    "pairs": {"prompt": "Q", "chosen": "A", "rejected": "B"},
    "comparisons": {"prompt": "Q", "a": "A", "b": "B", "winner": "model_a"},
    "open_assistant": {"message_id": "r", "parent_id": None, "role": "prompter", "text": "Q"},
}
OPTIONS = {"comparisons": {"columns": {"first": "a", "second": "b", "winner": "winner"}}}


def spelling(name: str) -> st.SearchStrategy[str]:
    return st.sampled_from([name, name.upper(), name.replace("_", "-"), name.replace("_", " ").title()])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.sampled_from(sorted(STORED)),
    st.sampled_from(sorted(CONTEXT)).flatmap(spelling),
    st.sampled_from(["x", ["x"], {"x": 1}]),
)
def test_no_format_leaves_a_part_of_the_prompt_behind(tmp_path: Path, kind: str, column: str, value) -> None:
    path = lines(tmp_path / "t.jsonl", [STORED[kind], STORED[kind] | {column: value}])
    with pytest.raises(InputError) as error:
        load("src", spec_of(kind, path, **OPTIONS.get(kind, {})))
    assert f"line 2: column {column!r}" in str(error.value) and "leave_out" in str(error.value)
    blank = [STORED[kind] | {"message_id": f"r{at}", column: nothing} for at, nothing in enumerate(["", " ", None, []])]
    spec = spec_of(kind, lines(tmp_path / "blank.jsonl", blank), **OPTIONS.get(kind, {}))
    list(records_of((Row("", row) for row in blank), spec))
    left = spec_of(kind, path, leave_out=[column], **OPTIONS.get(kind, {}))
    if kind != "open_assistant":
        assert load("src", left)[1]["not_read"][column] == 1


@given(st.sampled_from(sorted(PARTS_OF_A_TURN)), st.sampled_from(["x", ["x"], [{"name": "f"}]]))
def test_no_part_of_a_turn_is_left_behind(part: str, value) -> None:
    turns = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A", part: value, "id": 3, "name": ""}]
    for told in (turns, repr(turns), json.dumps(turns)):
        with pytest.raises(InputError, match=rf"row, side\[1\]: column '{part}' .*\n  remedy: .*leave_out"):
            side_of(Row("row", {"prompt": "Q", "side": told}), "side", PromptColumns())
        row = Row("row", {"prompt": "Q", "side": told}, left_out=frozenset([part]))
        assert side_of(row, "side", PromptColumns()) == (turns[:1], "A")
        assert row.account.unread() == {f"side.{part}": 1, "side.id": 1}


@pytest.mark.parametrize("kind", sorted(set(STORED) - {"open_assistant"}))
def test_the_card_lists_what_a_format_does_not_read(tmp_path: Path, kind: str) -> None:
    rows = [STORED[kind], STORED[kind] | {"colour": "red", "note": None}, STORED[kind] | {"colour": "blue"}]
    spec = spec_of(kind, lines(tmp_path / "t.jsonl", rows), **OPTIONS.get(kind, {}))
    assert load("src", spec)[1]["not_read"] == {"colour": 2}
