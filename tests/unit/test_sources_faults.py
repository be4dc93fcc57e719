"""Broken input gives one message that names the file, the row, the column and a remedy."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from scripts.lib.config.sources import SourceSpec
from scripts.lib.errors import InputError
from scripts.sources.load import load

GOOD = {"prompt": "Q", "response": "A", "generator": "g"}


def refusal(path: Path | str, kind: str = "responses", **options) -> str:
    spec = TypeAdapter(SourceSpec).validate_python({"kind": kind, "path": str(path), **options})
    with pytest.raises(InputError) as error:
        load("src", spec)
    assert "\n  remedy: " in str(error.value)
    return str(error.value)


def lines(path: Path, *rows) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"prompt": "Q", "generator": "g"}, ["line 2", "no column 'response'", "prompt, generator"]),
        (GOOD | {"response": 4}, ["line 2", "'response' is 4, not text"]),
        (GOOD | {"prompt": {"text": "Q"}}, ["line 2", "'prompt' is {'text': 'Q'}, not text"]),
        (GOOD | {"prompt": ["Q"]}, ["line 2", "'prompt' is 'Q', not an object"]),
        (GOOD | {"prompt": [{"role": "tool", "content": "Q"}]}, ["line 2, prompt[0]", "'tool', not one of the roles"]),
        (GOOD | {"prompt": [{"content": "Q"}]}, ["line 2, prompt[0]", "no column 'role'"]),
        ('{"prompt": "Q", "resp', ["line 2, column", "broken JSON"]),
        ("[1]", ["line 2", "not an object but list"]),
        ('{"a":' * 100_000, ["line 2", "nested too deeply"]),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, row, expected: list[str]) -> None:
    message = refusal(lines(tmp_path / "d.jsonl", GOOD, row))
    for part in [str(tmp_path / "d.jsonl"), *expected]:
        assert part in message


def test_a_number_that_is_none_is_named(tmp_path: Path) -> None:
    path = lines(tmp_path / "d.jsonl", GOOD | {"s": 1}, GOOD | {"s": "high"})
    assert "line 2: column 's' is 'high', not a number" in refusal(path, columns={"annotations": ["s"]})
    assert "line 1: no column 't'" in refusal(path, columns={"annotations": ["t"]})


@pytest.mark.parametrize(
    ("kind", "row", "expected"),
    [
        ("ultrafeedback", {"instruction": "Q", "completions": "none"}, "'completions' is 'none', not a list"),
        (
            "ultrafeedback",
            {"instruction": "Q", "completions": [{"response": "A"}]},
            "completions[0]: no column 'model'",
        ),
        ("ultrafeedback", {"prompt": "Q"}, "no column 'instruction'"),
        ("ultrafeedback_binarized", {"prompt": "Q", "chosen": "A"}, "no column 'rejected'"),
        ("hh_rlhf", {"chosen": ["A"], "rejected": "B"}, "'chosen' is ['A'], not text"),
        ("alpaca_eval", {"instruction": "Q"}, "no column 'output'"),
        ("open_assistant", {"message_id": "m", "text": "Q", "role": "prompter"}, "no column 'parent_id'"),
        ("open_assistant", {"prompt": {"text": "Q", "replies": {}}}, "'replies' is {}, not a list"),
    ],
)
def test_every_format_names_the_column_it_lacks(tmp_path: Path, kind: str, row: dict, expected: str) -> None:
    message = refusal(lines(tmp_path / "d.jsonl", row), kind)
    assert "d.jsonl, line 1" in message and expected in message


def test_broken_files_are_named(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "none.jsonl")
    assert "no such file" in refusal("data/none.jsonl")
    assert "has no rows" in refusal(lines(tmp_path / "empty.jsonl"))
    array = tmp_path / "array.json"
    array.write_text('[{"prompt": "Q"},\n {"prompt": ]')
    assert "array.json, line 2, column" in refusal(array)
    array.write_text('[{"prompt": "Q", "response": "A", "generator": "g"}, 5]')
    assert "array.json, row 1: not an object but int" in refusal(array)
    array.write_text("[]")
    assert "has no rows" in refusal(array)
    latin = tmp_path / "latin.jsonl"
    latin.write_bytes('{"prompt": "é"}'.encode("latin-1"))
    assert "latin.jsonl: datasets cannot read it" in refusal(latin)
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(json.dumps(GOOD).encode() * 1000)[:40])
    assert "cut.jsonl.gz: datasets cannot read it" in refusal(cut)
    parquet = tmp_path / "p.parquet"
    parquet.write_bytes(b"PAR1 no")
    assert "p.parquet: datasets cannot read it" in refusal(parquet)
    assert "a format that sources do not read" in refusal(lines(tmp_path / "d.txt", GOOD))
    (tmp_path / "folder").mkdir()
    assert "datasets cannot read it" in refusal(tmp_path / "folder")


@pytest.mark.parametrize(
    ("row", "expected"),
    [("Q,A", "line 3: more or fewer cells"), ("Q,A,g,h", "line 3: more or fewer cells"), ('"Q,A,g', "broken CSV")],
)
def test_broken_csv_is_named(tmp_path: Path, row: str, expected: str) -> None:
    path = tmp_path / "d.csv"
    path.write_text(f"prompt,response,generator\nQ,A,g\n{row}\n")
    assert expected in refusal(path)


def test_two_csv_columns_of_one_name_are_named(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("prompt,response,generator,response\nQ,A,g,B\n")
    assert "d.csv, line 1: two columns 'response'" in refusal(path)


def test_a_hub_dataset_out_of_reach_is_an_input_error() -> None:
    message = refusal("no-such-owner/no-such-dataset", "pairs")
    assert message.startswith("no-such-owner/no-such-dataset: datasets cannot read it")


def test_nothing_left_says_what_was_dropped(tmp_path: Path) -> None:
    message = refusal(lines(tmp_path / "d.jsonl", GOOD | {"response": " "}, GOOD | {"prompt": None}))
    assert "none of 2 rows gives a prompt with a response ({'empty_prompt': 1, 'empty_response': 1})" in message


def test_half_a_surrogate_pair_is_dropped_and_counted(tmp_path: Path) -> None:
    path = lines(tmp_path / "d.jsonl", GOOD, '{"prompt": "Q", "response": "\\ud83d", "generator": "g"}')
    spec = TypeAdapter(SourceSpec).validate_python({"kind": "responses", "path": str(path)})
    assert load("src", spec)[1]["dropped"] == {"not_unicode": 1}


def test_the_step_prints_the_message_alone(tmp_path: Path) -> None:
    out = [
        part for flag in ("prompts", "responses", "annotations", "card") for part in (f"--{flag}", str(tmp_path / flag))
    ]
    spec = json.dumps({"kind": "responses", "path": str(lines(tmp_path / "d.jsonl", GOOD, "{"))})
    command = [sys.executable, "-m", "scripts.sources.load", "--name", "src", "--spec", spec, *out]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and "Traceback" not in done.stderr and "d.jsonl, line 2" in done.stderr
    assert not (tmp_path / "prompts").exists()
