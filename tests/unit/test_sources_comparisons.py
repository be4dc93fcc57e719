"""Comparisons with a winner in a column of its own: who won, ties, and the warning where nobody names the column."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from scripts.lib.errors import InputError
from scripts.lib.schemas import PREFERENCES
from scripts.lib.tables import read_table
from scripts.sources.load import load
from scripts.sources.preferences import extract
from tests.sources_data import lines, loaded, spec_of


def turns(*said: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(said)]


ARENA = {
    "first": "conversation_a",
    "second": "conversation_b",
    "winner": "winner",
    "first_generator": "model_a",
    "second_generator": "model_b",
}
LLMBAR = {"prompt": "instruction", "input": "input", "first": "output_1", "second": "output_2", "winner": "label"}
OUTCOMES = {"first": [1], "second": [2], "tie": [0]}


def test_chatbot_arena(tmp_path: Path) -> None:
    rows = [
        {
            "model_a": "m",
            "model_b": "n",
            "winner": winner,
            "conversation_a": turns(q, "x"),
            "conversation_b": turns(q, "y"),
        }
        for q, winner in (("A", "model_a"), ("B", "model_b"), ("T", "tie"), ("U", "tie (bothbad)"), ("V", None))
    ]
    rows.append(
        rows[0] | {"conversation_a": turns("A", "x", "more", "x"), "conversation_b": turns("A", "y", "more", "z")}
    )
    path = lines(tmp_path / "t.jsonl", rows)
    content, card = loaded("comparisons", path, columns=ARENA)
    assert content == {
        ("A",): {"x": ("m", {"preferred": 1.0}), "y": ("n", {"preferred": 0.0})},
        ("B",): {"x": ("m", {"preferred": 0.0}), "y": ("n", {"preferred": 1.0})},
    }
    assert card["dropped"] == {"no_winner": 2, "prompts_differ": 2, "tie": 4}
    content, card = loaded("comparisons", path, columns=ARENA, ties="keep")
    assert content["T",] == {"x": ("m", {"preferred": 0.5}), "y": ("n", {"preferred": 0.5})}
    assert card["dropped"] == {"no_winner": 2, "prompts_differ": 2}


@pytest.mark.parametrize("spelt", [lambda value: value, str, float, lambda value: f" {value}.0"])
def test_llmbar_and_pandalm(tmp_path: Path, spelt) -> None:
    rows = [
        {"instruction": q, "input": more, "output_1": "x", "output_2": "y", "label": spelt(label)}
        for q, more, label in (("A", "", 1), ("B", "about", 2), ("C", "", 0))
    ]
    content, card = loaded("comparisons", lines(tmp_path / "t.jsonl", rows), columns=LLMBAR, outcomes=OUTCOMES)
    assert {prompt: max(each, key=lambda text: each[text][1]["preferred"]) for prompt, each in content.items()} == {
        ("A",): "x",
        ("B\n\nabout",): "y",
    }
    assert card["dropped"] == {"tie": 2} and card["warnings"] == [] and card["not_read"] == {}


outcomes = st.lists(st.sampled_from([1, 2, 0, "", None]), min_size=1, max_size=12)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(outcomes, st.sampled_from(["drop", "keep"]))
def test_a_comparison_is_the_pair_that_its_winner_makes_of_it(tmp_path: Path, labels: list, ties: str) -> None:
    rows = [
        {"instruction": f"Q{at % 3}", "output_1": f"x{at}", "output_2": f"y{at}", "label": each}
        for at, each in enumerate(labels)
    ]
    columns = {name: column for name, column in LLMBAR.items() if name != "input"}
    spec = spec_of("comparisons", lines(tmp_path / "t.jsonl", rows), columns=columns, outcomes=OUTCOMES, ties=ties)
    pairs = [
        {
            "prompt": row["instruction"],
            "chosen": row[f"output_{row['label']}"],
            "rejected": row[f"output_{3 - row['label']}"],
        }
        for row in rows
        if row["label"] in (1, 2)
    ]
    if not pairs:
        with pytest.raises(InputError, match="none of "):
            extract("src", spec, tmp_path / "p.parquet")
        return
    card = extract("src", spec, tmp_path / "p.parquet")
    expected = spec_of("pairs", lines(tmp_path / "pairs.jsonl", pairs))
    extract("src", expected, tmp_path / "q.parquet")
    ids = ["prompt_id", "chosen_id", "rejected_id"]
    ours, theirs = (read_table(tmp_path / f"{name}.parquet", PREFERENCES) for name in "pq")
    assert ours[ids].equals(theirs[ids])
    assert ours["row"].tolist() == [at for at, label in enumerate(labels) if label in (1, 2)]
    assert card["rows_read"] == len(labels) and card["dropped"].get("tie", 0) == labels.count(0)
    tables, loaded_card = load("src", spec)
    kept = 2 * (len(pairs) + labels.count(0) * (ties == "keep"))
    assert len(tables.responses) == kept
    assert loaded_card["dropped"].get("tie", 0) == 2 * labels.count(0) * (ties == "drop")


@pytest.mark.parametrize("spelt", [bool, str, lambda value: str(value).lower()])
def test_true_and_false_are_outcomes_however_spelt(tmp_path: Path, spelt) -> None:
    rows = [{"prompt": q, "a": "x", "b": "y", "w": spelt(won)} for q, won in (("A", True), ("B", False))]
    content, _ = loaded(
        "comparisons",
        lines(tmp_path / "t.jsonl", rows),
        columns={"first": "a", "second": "b", "winner": "w"},
        outcomes={"first": ["true"], "second": ["False"], "tie": []},
    )
    assert content["A",]["x"][1] == content["B",]["y"][1] == {"preferred": 1.0}


def test_a_value_that_stands_for_no_outcome_is_refused_with_the_row(tmp_path: Path) -> None:
    rows = [{"prompt": "Q", "a": "x", "b": "y", "w": "model_a"}, {"prompt": "Q", "a": "x", "b": "y", "w": "A"}]
    path = lines(tmp_path / "t.jsonl", rows)
    with pytest.raises(InputError, match=r"line 2: column 'w' is 'A', not one of .*\n  remedy: add the value"):
        load("src", spec_of("comparisons", path, columns={"first": "a", "second": "b", "winner": "w"}))


def test_a_value_stands_for_one_outcome() -> None:
    for repeated in ({"first": [1], "second": ["1"]}, {"first": ["tie"]}, {"tie": ["model_b"]}):
        with pytest.raises(ValidationError, match="stands for two outcomes"):
            spec_of("comparisons", "x.jsonl", columns=ARENA, outcomes=repeated)
    with pytest.raises(ValidationError, match="true or false"):
        spec_of("comparisons", "x.jsonl", columns=ARENA, outcomes={"first": [True]})


@pytest.mark.parametrize("column", ["label", "winner", "Preference", "better-response-id", "winner_model_b"])
def test_pairs_beside_a_winners_column_that_nobody_named_are_warned_of(tmp_path: Path, column: str) -> None:
    rows = [{"instruction": "Q", "output_1": "x", "output_2": "y", column: 2}]
    columns = {"prompt": "instruction", "chosen": "output_1", "rejected": "output_2"}
    _, card = loaded("pairs", lines(tmp_path / "t.jsonl", rows), columns=columns)
    [warning] = card["warnings"]
    assert column in warning and "kind comparisons" in warning
    _, card = loaded("pairs", lines(tmp_path / "u.jsonl", [{"prompt": "Q", "chosen": "x", "rejected": "y", "id": 2}]))
    assert card["warnings"] == []


MARKED = {"first": "winner_model_a", "second": "winner_model_b", "tie": "winner_tie"}
BATTLE = {"first": "response_a", "second": "response_b", "first_generator": "model_a", "second_generator": "model_b"}


def battle(question: object, mark: str | None, spelt=lambda marked: int(marked), **more) -> dict:
    marks = {column: spelt(column == mark) for column in MARKED.values()}
    return {"prompt": question, "response_a": "x", "response_b": "y", "model_a": "m", "model_b": "n"} | marks | more


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.sampled_from([*MARKED.values(), None]), min_size=1, max_size=8),
    st.sampled_from([int, float, str, bool, lambda marked: f" {float(marked)}", lambda marked: marked or ""]),
    st.sampled_from(["drop", "keep"]),
)
def test_one_column_per_outcome_says_what_one_winner_column_says(tmp_path: Path, marks: list, spelt, ties: str) -> None:
    """A row without any mark has blank cells, as a row without a winner."""
    told = {"winner_model_a": "model_a", "winner_model_b": "model_b", "winner_tie": "tie", None: ""}
    rows = [
        battle(f"Q{at % 3}", mark, spelt if mark else lambda _: "", response_a=f"x{at}", response_b=f"y{at}")
        for at, mark in enumerate(marks)
    ]
    in_one = [row | {"winner": told[mark]} for row, mark in zip(rows, marks, strict=True)]
    ours = spec_of("comparisons", lines(tmp_path / "a.jsonl", rows), columns=BATTLE | {"winner": MARKED}, ties=ties)
    theirs = spec_of(
        "comparisons", lines(tmp_path / "b.jsonl", in_one), columns=BATTLE | {"winner": "winner"}, ties=ties
    )
    try:
        expected, its_card = load("src", theirs)
    except InputError:
        with pytest.raises(InputError, match="none of "):
            load("src", ours)
        return
    found, card = load("src", ours)
    for table in ("prompts", "responses", "annotations"):
        assert getattr(found, table).equals(getattr(expected, table))
    assert card["dropped"] == its_card["dropped"] and not card["warnings"] and not card["not_read"]


@pytest.mark.parametrize(
    ("marks", "problem"),
    [
        ({"winner_model_a": 1, "winner_model_b": 1}, "2 of them are"),
        ({"winner_tie": 0}, "0 of them are"),
        ({"winner_model_b": 0.5}, "'winner_model_b' is 0.5, not a mark"),
        ({"winner_model_b": "model_b"}, "'winner_model_b' is 'model_b', not a mark"),
    ],
)
def test_marks_that_tell_no_outcome_are_refused_with_the_row(tmp_path: Path, marks: dict, problem: str) -> None:
    path = lines(tmp_path / "t.jsonl", [battle("P", "winner_tie"), battle("Q", None) | marks])
    with pytest.raises(InputError, match=f"line 2: column .*{problem}"):
        load("src", spec_of("comparisons", path, columns=BATTLE | {"winner": MARKED}))


def test_outcomes_are_values_of_one_column() -> None:
    with pytest.raises(ValidationError, match="winner names several"):
        spec_of("comparisons", "x.jsonl", columns=BATTLE | {"winner": MARKED}, outcomes=OUTCOMES)


def test_lists_of_texts_are_the_turns_of_a_conversation(tmp_path: Path) -> None:
    """As LMSYS's files of arena battles hold them: JSON in a string, a null for an answer that did not come."""
    won = {"winner": MARKED}
    rows = [
        battle('["A"]', "winner_model_b", response_a='["x"]', response_b='["[\\"y\\"]"]'),
        battle(["B", "more"], "winner_model_a", response_a=["b", "x"], response_b=["b", "y"]),
        battle('["C"]', "winner_model_a", response_a='["x"]', response_b="[null]"),
        battle('["D", "more"]', "winner_model_a", response_a='["x", "x"]', response_b='["y", "y"]'),
        battle('["E"]', "winner_model_a", response_a='["x"', response_b="[1]"),
    ]
    content, card = loaded("comparisons", lines(tmp_path / "t.jsonl", rows), columns=BATTLE | won)
    assert {prompt: set(responses) for prompt, responses in content.items()} == {
        ("A",): {"x", '["y"]'},
        ("B", "b", "more"): {"x", "y"},
        ("C",): {"x"},
        ('["E"]',): {'["x"', "[1]"},
    }
    assert card["read_as"] == {"lists of texts as the turns of a conversation": 8}
    assert card["dropped"] == {"empty_response": 1, "prompts_differ": 2}
