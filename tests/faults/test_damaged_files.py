"""Truncated and bit-flipped files: refused with the file and the remedy, or replaced; never read as intact."""

import random
from pathlib import Path

import pandas as pd
import pytest

from scripts.evaluation.verdicts import Verdicts
from scripts.lib.classifiers import load_own
from scripts.lib.errors import InputError
from scripts.lib.models import check_files, load_causal, load_tokenizer, read_policy
from scripts.lib.results import read_evaluation
from scripts.lib.schemas import LOGPROBS
from scripts.lib.tables import read_json, read_table, write_table
from tests.faults.support import flip, truncate
from tests.faults.writers import ADDED, REPLACED


@pytest.fixture
def small_table(tmp_path: Path) -> Path:
    rows = [{"response_id": f"r{at}", "token_logprobs": [-at / 7.0] * (1 + at % 3), "tokens": at} for at in range(40)]
    write_table(pd.DataFrame(rows), tmp_path / "t.parquet", LOGPROBS)
    return tmp_path / "t.parquet"


def test_a_table_with_any_bit_flipped_is_refused(small_table: Path) -> None:
    content, draw = small_table.read_bytes(), random.Random(0)
    for at in range(0, len(content), 4):
        flip(small_table, at, draw.randrange(8))
        with pytest.raises(InputError, match=r"t.parquet: .*\n  remedy: delete it and run snakemake again"):
            read_table(small_table, LOGPROBS)
        small_table.write_bytes(content)
    assert len(read_table(small_table, LOGPROBS)) == 40


def test_a_table_cut_anywhere_is_refused(small_table: Path) -> None:
    content = small_table.read_bytes()
    for length in range(0, len(content), 5):
        small_table.write_bytes(content[:length])
        with pytest.raises(InputError, match="delete it and run snakemake again"):
            read_table(small_table, LOGPROBS)


@pytest.mark.parametrize("damage", [flip, truncate, Path.unlink])
def test_a_damaged_policy_is_refused(tmp_path: Path, damage) -> None:
    for file in ("model.safetensors", "tokenizer.json", "config.json"):
        REPLACED["policy"](tmp_path, "new")
        damage(tmp_path / file)
        card = read_policy(tmp_path / "policy.json")
        with pytest.raises(
            InputError, match=f"{file}: .*\n  remedy: delete the policy.json of small and run snakemake"
        ):
            (load_causal if file == "model.safetensors" else load_tokenizer)(card)


@pytest.mark.parametrize("damage", [flip, truncate, Path.unlink])
def test_a_damaged_scorer_is_refused(tmp_path: Path, damage) -> None:
    REPLACED["classifier"](tmp_path, "new")
    damage(tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"model.safetensors: .*\n  remedy: delete .*scorer.json and run snakemake"):
        load_own(tmp_path / "scorer.json", 64)


def test_json_cut_anywhere_is_refused(tmp_path: Path) -> None:
    REPLACED["policy"](tmp_path, "new")
    check_files(read_policy(tmp_path / "policy.json"), weights=True)
    content = (tmp_path / "policy.json").read_bytes()
    for length in range(len(content.rstrip())):
        (tmp_path / "policy.json").write_bytes(content[:length])
        with pytest.raises(InputError, match="remedy"):
            read_json(tmp_path / "policy.json")


def test_a_damaged_evaluation_is_refused(tmp_path: Path) -> None:
    """A changed digit is still valid JSON; the mean of the answers reveals it."""
    for damage in (truncate, lambda path: flip(path, path.read_bytes().index(b'"value": 0.') + 12)):
        REPLACED["record"](tmp_path, "new")
        damage(tmp_path / "suite.json")
        with pytest.raises(InputError, match="delete it and run snakemake again"):
            read_evaluation(tmp_path / "suite.json")


def test_verdicts_cut_anywhere_go_on_with_those_that_are_whole(tmp_path: Path) -> None:
    ADDED["verdicts"](tmp_path, "old")
    kept = Verdicts(tmp_path, {"kind": "judge"})
    content = kept.path.read_bytes()
    for length in range(0, len(content), 41):
        kept.path.write_bytes(content[:length])
        assert len(kept.read()) == max(0, content[:length].count(b"\n") - 1)
        ADDED["verdicts"](tmp_path, "old")
        assert kept.path.read_bytes() == content
