"""A dataset without the pairs of a list: the others, in their order, and every pair of the list counted."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.errors import InputError
from scripts.lib.schemas import PAIRS
from scripts.lib.tables import read_json, read_table, write_table
from scripts.pairs.without import IDS, read_list, without

pair = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(4, 7)).map(lambda row: tuple(map(str, row)))
REASONS = ["a label", "the same"]


def of(ids: list, reason: str | None = None) -> pd.DataFrame:
    frame = pd.DataFrame(ids, columns=IDS, dtype=str)
    if reason is not None:
        return frame.assign(reason=reason)
    return frame.assign(chosen_score=1.0, rejected_score=0.0, origin="labelled")


@given(st.lists(pair, unique=True), st.dictionaries(pair, st.sampled_from(REASONS)))
def test_the_others_stay_in_order_and_the_list_is_counted(pairs: list, listed: dict) -> None:
    drop = pd.DataFrame([(*ids, reason) for ids, reason in listed.items()], columns=[*IDS, "reason"], dtype=str)
    kept, counts = without(of(pairs), drop)
    assert list(kept[IDS].itertuples(index=False, name=None)) == [each for each in pairs if each not in listed]
    assert counts.pop("not_in_dataset") == len(set(listed) - set(pairs))
    assert counts == {
        reason: found for reason in REASONS if (found := sum(listed.get(each) == reason for each in pairs))
    }


def step(folder: Path, drop: Path) -> subprocess.CompletedProcess:
    spec = '{"kind": "without", "base": "all", "drop": "drop.parquet"}'
    command = [sys.executable, "-m", "scripts.pairs.without", "--spec", spec, "--pairs", str(folder / "all.parquet")]
    command += ["--drop", str(drop), "--out", str(folder / "out.parquet"), "--card", str(folder / "card.json")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_step_takes_a_list_of_anybody(tmp_path: Path) -> None:
    write_table(of([("p", "a", "b"), ("q", "c", "d")]), tmp_path / "all.parquet", PAIRS)
    of([("q", "c", "d")], "mine").set_index(pd.Index([7])).assign(more=1).to_parquet(tmp_path / "drop.parquet")
    assert step(tmp_path, tmp_path / "drop.parquet").returncode == 0
    assert read_table(tmp_path / "out.parquet", PAIRS)["prompt_id"].tolist() == ["p"]
    card = read_json(tmp_path / "card.json")
    assert card["pairs"] == 1 and card["dropped"] == {"mine": 1, "not_in_dataset": 0}


def test_a_list_of_all_pairs_and_a_file_that_is_no_list_are_refused(tmp_path: Path) -> None:
    write_table(of([("p", "a", "b")]), tmp_path / "all.parquet", PAIRS)
    of([("p", "a", "b")], "mine").to_parquet(tmp_path / "drop.parquet")
    found = step(tmp_path, tmp_path / "drop.parquet")
    assert found.returncode == 1 and "lists all 1 pairs of all" in found.stderr
    (tmp_path / "text.parquet").write_text("no table")
    with pytest.raises(InputError, match="not a readable Parquet file"):
        read_list(tmp_path / "text.parquet")
    pd.DataFrame({"prompt_id": ["p"]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(InputError, match="chosen_id"):
        read_list(tmp_path / "other.parquet")
