"""Promises P4 and P5 in scripts/lib: schemas are enforced, and no incomplete file is ever taken for a complete one."""

import math
import os
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.disk import replacing
from scripts.lib.errors import InputError
from scripts.lib.ids import normalise, prompt_id, response_id, seed_of
from scripts.lib.schemas import LOGPROBS, PAIRS, PROMPTS, SCORES
from scripts.lib.tables import read_table, write_table

PAIR = {
    "prompt_id": "p",
    "chosen_id": "a",
    "rejected_id": "b",
    "chosen_score": 1.0,
    "rejected_score": 0.0,
    "origin": "best/worst",
}


def test_tables_come_back_as_they_were_written(tmp_path: Path) -> None:
    prompts = pd.DataFrame(
        {
            "prompt_id": ["p"],
            "prompt": [[{"role": "user", "content": "hé\n"}, {"role": "assistant", "content": "x"}]],
            "source": ["s"],
            "split": ["train"],
        }
    )
    write_table(prompts, tmp_path / "a.parquet", PROMPTS)
    assert read_table(tmp_path / "a.parquet", PROMPTS).to_dict("records") == prompts.to_dict("records")
    logprobs = pd.DataFrame({"response_id": ["r", "q"], "token_logprobs": [[-1.5, 0.0], [-0.25]], "tokens": [7, -7]})
    write_table(logprobs, tmp_path / "b.parquet", LOGPROBS)
    assert [list(values) for values in read_table(tmp_path / "b.parquet", LOGPROBS)["token_logprobs"]] == [
        [-1.5, 0.0],
        [-0.25],
    ]


def test_equal_tables_are_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_table(pd.DataFrame([PAIR]), tmp_path / name, PAIRS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"chosen_score": math.nan}, "row 1"),
        ({"chosen_score": math.inf}, "not a finite number"),
        ({"chosen_id": ""}, "chosen_id is empty"),
        ({"origin": None}, "origin is null"),
        ({"rejected_id": "a", "chosen_id": "a"}, "chosen_id equals rejected_id"),
        ({"chosen_score": -1.0}, "not above rejected_score"),
        ({"chosen_score": "much"}, "table"),
        ({"prompt_id": "p", "chosen_id": "a", "rejected_id": "b"}, "second row"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_written(tmp_path: Path, change: dict, told: str) -> None:
    second = {**PAIR, "prompt_id": "q", **change}
    with pytest.raises(InputError) as error:
        write_table(pd.DataFrame([PAIR, second]), tmp_path / "pairs.parquet", PAIRS)
    assert told in str(error.value) and "remedy" in str(error.value) and "pairs.parquet" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_missing_and_extra_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="score"):
        write_table(pd.DataFrame({"response_id": ["r"]}), tmp_path / "x", SCORES)
    with pytest.raises(InputError, match="colour"):
        write_table(pd.DataFrame({"response_id": ["r"], "score": [1.0], "colour": ["red"]}), tmp_path / "x", SCORES)


def test_a_broken_file_is_refused_with_a_remedy(tmp_path: Path) -> None:
    whole = tmp_path / "scores.parquet"
    write_table(pd.DataFrame({"response_id": ["r"], "score": [1.0]}), whole, SCORES)
    (tmp_path / "half.parquet").write_bytes(whole.read_bytes()[:-20])
    for path in (tmp_path / "half.parquet", tmp_path / "none.parquet"):
        with pytest.raises(InputError, match="remedy"):
            read_table(path, SCORES)


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(OSError), replacing(path) as temporary:
        temporary.write_text("half of the ne")
        raise OSError("disk full")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["file"]


texts = st.text(max_size=40)


@given(texts, texts)
def test_ids_depend_on_normalised_text_alone(prompt: str, response: str) -> None:
    spelt = [{"role": "user", "content": prompt}]
    padded = [{"role": "user", "content": f" {prompt}\r\n"}]
    assert prompt_id(spelt) == prompt_id(padded)
    assert response_id("p", response) == response_id("p", f"\n{response} ")
    assert normalise(normalise(prompt)) == normalise(prompt)


@given(texts, texts)
def test_different_texts_have_different_ids(first: str, second: str) -> None:
    if normalise(first) != normalise(second):
        assert response_id("p", first) != response_id("p", second)
        assert response_id("p", first) != response_id("q", first)


def test_seeds_are_the_same_everywhere() -> None:
    assert seed_of("a", 1) == seed_of("a", 1) != seed_of("a", 2)
    assert 0 <= seed_of("a", 1) < 2**63
