"""Pairs as labelled: each preference over responses of the prompt set is one pair; everything else is counted."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from scripts.lib.config.pairs import LabelledPairs, PairsSpec
from scripts.lib.schemas import PAIRS, PREFERENCES, RESPONSES
from scripts.lib.tables import read_json, read_table, write_table
from scripts.pairs.labelled import IDS, contradicted, labelled
from scripts.sources.load import load
from scripts.sources.preferences import extract
from tests.sources_data import lines, spec_of

SPEC = '{"kind": "labelled", "prompt_set": "set"}'

# a response's name begins with its prompt's
preference = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)).filter(lambda row: row[1] != row[2])
preferences = st.lists(preference.map(lambda row: (f"p{row[0]}", f"r{row[0]}{row[1]}", f"r{row[0]}{row[2]}")))
responses = st.sets(
    st.tuples(st.integers(0, 3), st.integers(0, 3)).map(lambda row: (f"p{row[0]}", f"r{row[0]}{row[1]}"))
)


def made(rows: list, stored: set) -> tuple[pd.DataFrame, dict[str, int]]:
    return labelled(pd.DataFrame(rows, columns=IDS), pd.DataFrame(stored, columns=["prompt_id", "response_id"]))


def ids_of(pairs: pd.DataFrame) -> list[tuple[str, str, str]]:
    return list(pairs[IDS].itertuples(index=False, name=None))


@given(preferences, responses)
def test_pairs_are_those_by_hand_and_every_preference_is_one_or_counted(rows: list, stored: set) -> None:
    expected, reasons = set(), {"prompt_not_in_prompt_set": 0, "response_not_in_prompt_set": 0, "labelled_again": 0}
    for prompt, chosen, rejected in rows:
        if not any(each == prompt for each, _ in stored):
            reasons["prompt_not_in_prompt_set"] += 1
        elif (prompt, chosen) not in stored or (prompt, rejected) not in stored:
            reasons["response_not_in_prompt_set"] += 1
        elif (prompt, chosen, rejected) in expected:
            reasons["labelled_again"] += 1
        else:
            expected.add((prompt, chosen, rejected))
    pairs, dropped = made(rows, stored)
    assert ids_of(pairs) == sorted(expected)
    assert dropped == reasons
    assert len(pairs) + sum(dropped.values()) == len(rows)
    assert contradicted(pairs) == sum((prompt, rejected, chosen) in expected for prompt, chosen, rejected in expected)
    PAIRS.validate(pa.Table.from_pandas(pairs, preserve_index=False, schema=PAIRS.arrow), "pairs")


@given(preferences, responses, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(rows: list, stored: set, random) -> None:
    pairs, dropped = made(rows, stored)
    again, counts = made(random.sample(rows, len(rows)), stored)
    pd.testing.assert_frame_equal(pairs, again)
    assert counts == dropped


def write_preferences(path: Path, rows: list) -> Path:
    frame = pd.DataFrame(rows, columns=IDS).assign(chosen_score=None, rejected_score=None)
    write_table(frame.assign(row=range(len(frame))), path, PREFERENCES)
    return path


def write_responses(path: Path, stored: list) -> Path:
    frame = pd.DataFrame(stored, columns=["prompt_id", "response_id"])
    write_table(frame.assign(family="set", response="text"), path, RESPONSES)
    return path


def run(folder: Path, responses: Path, *preferences: Path, spec: str = SPEC) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "scripts.pairs.labelled", "--spec", spec, "--responses", responses]
    return subprocess.run(
        [*command, "--preferences", *preferences, "--out", folder / "pairs.parquet", "--card", folder / "card.json"],
        capture_output=True,
        text=True,
    )


def test_a_file_of_pairs_becomes_the_dataset_that_it_is(tmp_path: Path) -> None:
    """From JSONL to pairs: several pairs per prompt, one of them twice, one both ways."""
    rows = [
        {"prompt": "Q", "chosen": "best", "rejected": "good"},
        {"prompt": "Q", "chosen": "good", "rejected": "bad"},
        {"prompt": " Q ", "chosen": "good\n", "rejected": "bad"},
        {"prompt": "R", "chosen": "yes", "rejected": "no"},
        {"prompt": "R", "chosen": "no", "rejected": "yes"},
        {"prompt": "S", "chosen": "cut", "rejected": "off"},
    ]
    spec = spec_of("pairs", lines(tmp_path / "rows.jsonl", rows))
    extract("src", spec, tmp_path / "preferences.parquet")
    tables, _ = load("src", spec)
    text_of = tables.responses.set_index("response_id")["response"]
    kept = tables.responses[tables.responses["response"] != "off"]
    write_table(kept, tmp_path / "responses.parquet", RESPONSES)
    done = run(tmp_path, tmp_path / "responses.parquet", tmp_path / "preferences.parquet")
    assert done.returncode == 0, done.stderr
    pairs = read_table(tmp_path / "pairs.parquet", PAIRS)
    found = {(text_of[row.chosen_id], text_of[row.rejected_id]) for row in pairs.itertuples()}
    assert found == {("best", "good"), ("good", "bad"), ("yes", "no"), ("no", "yes")}
    assert set(zip(pairs["chosen_score"], pairs["rejected_score"], pairs["origin"], strict=True)) == {
        (1.0, 0.0, "labelled")
    }
    assert read_json(tmp_path / "card.json") == {
        "kind": "labelled",
        "prompt_set": "set",
        "sources": [],
        "pairs": 4,
        "prompts": 2,
        "contradicted": 2,
        "dropped": {"prompt_not_in_prompt_set": 0, "response_not_in_prompt_set": 1, "labelled_again": 1},
    }


def test_sources_add_up_in_any_order(tmp_path: Path) -> None:
    stored = write_responses(tmp_path / "responses.parquet", [("p", f"r{at}") for at in range(4)])
    one = write_preferences(tmp_path / "one.parquet", [("p", "r0", "r1"), ("p", "r2", "r1")])
    other = write_preferences(tmp_path / "other.parquet", [("p", "r0", "r1"), ("p", "r3", "r2")])
    found = []
    for order in ((one, other), (other, one)):
        done = run(tmp_path, stored, *order)
        assert done.returncode == 0, done.stderr
        found.append((tmp_path / "pairs.parquet").read_bytes())
    assert found[0] == found[1]
    assert ids_of(read_table(tmp_path / "pairs.parquet", PAIRS)) == [
        ("p", "r0", "r1"),
        ("p", "r2", "r1"),
        ("p", "r3", "r2"),
    ]
    assert read_json(tmp_path / "card.json")["dropped"]["labelled_again"] == 1


def test_pairs_of_another_prompt_set_are_refused_with_a_remedy(tmp_path: Path) -> None:
    stored = write_responses(tmp_path / "responses.parquet", [("p", "r0"), ("p", "r1")])
    done = run(tmp_path, stored, write_preferences(tmp_path / "one.parquet", [("q", "r0", "r1"), ("p", "r0", "r7")]))
    assert done.returncode == 1 and not (tmp_path / "pairs.parquet").exists()
    assert f"error: {stored}: holds both responses of none of 2 preferences" in done.stderr
    assert "'prompt_not_in_prompt_set': 1, 'response_not_in_prompt_set': 1" in done.stderr
    assert "remedy: name sources of this prompt set" in done.stderr


def test_the_entry_names_each_source_once() -> None:
    entry = TypeAdapter(PairsSpec).validate_python(json.loads(SPEC) | {"sources": ["a", "b"]})
    assert isinstance(entry, LabelledPairs) and entry.sources == ["a", "b"]
    with pytest.raises(ValidationError, match="names a twice"):
        LabelledPairs(kind="labelled", prompt_set="set", sources=["a", "a"])
