"""Files, folders, the didactic world, and the step that loads them."""

import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter

from scripts.lib.config.sources import SourceSpec
from scripts.lib.errors import InputError
from scripts.lib.schemas import ANNOTATIONS, PROMPTS, RESPONSES
from scripts.lib.tables import read_json, read_table
from scripts.sources.load import load
from tests.sources_data import lines, loaded

ROWS = [
    {"q": "007", "a": "NA", "who": "null", "s": "1.5"},
    {"q": "2020-01-01", "a": 'said "so", and\nleft', "who": "x", "s": ""},
    {"q": "None", "a": "ünï", "who": "y", "s": "-inf"},
]


def test_text_stays_as_it_is_spelt_in_every_kind_of_file(tmp_path: Path) -> None:
    with open(tmp_path / "t.csv", "w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(ROWS[0]))
        writer.writeheader()
        writer.writerows(ROWS)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress((tmp_path / "t.csv").read_bytes()))
    lines(tmp_path / "t.jsonl", ROWS)
    (tmp_path / "t.jsonl.gz").write_bytes(gzip.compress((tmp_path / "t.jsonl").read_bytes()))
    (tmp_path / "t.json").write_text("\n " + json.dumps(ROWS))
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "t.parquet")
    columns = {"prompt": "q", "response": "a", "generator": "who", "annotations": ["s"]}
    for path in sorted(tmp_path.iterdir()):
        content, card = loaded("responses", path, columns=columns)
        assert content == {
            ("007",): {"NA": ("null", {"s": 1.5})},
            ("2020-01-01",): {'said "so", and\nleft': ("x", {})},
            ("None",): {"ünï": ("y", {})},
        }, path
        assert card["files"] == [path.name]
        assert card["annotations_skipped"] == {"missing": 1, "not_finite": 1}


@pytest.mark.parametrize("name", ["t[0].jsonl", "t*.jsonl", "t?.jsonl", "a b/t.jsonl"])
def test_a_files_name_is_no_pattern(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    for number, each in enumerate((path, tmp_path / "t0.jsonl")):
        lines(each, [{"prompt": f"q{number}", "response": "a\u2028b", "generator": "g"}])
    content, card = loaded("responses", path)
    assert list(content) == [("q0",)] and "a\u2028b" in content[("q0",)]
    assert card["files"] == [path.name]


def test_a_folder_is_read_by_split_and_its_files_in_order(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name, prompt in (("train-1", "b"), ("train-0", "a"), ("test-0", "c")):
        lines(tmp_path / "data" / f"{name}.jsonl", [{"prompt": prompt, "response": "r", "generator": "g"}])
    content, card = loaded("responses", tmp_path, limit=1)
    assert list(content) == [("a",)]
    assert card["files"] == ["data/train-0.jsonl", "data/train-1.jsonl"]
    assert card["dropped"] == {"over_limit": 1}
    assert list(loaded("responses", tmp_path, split="test")[0]) == [("c",)]
    with pytest.raises(InputError, match="no split 'dev'") as error:
        loaded("responses", tmp_path, split="dev")
    assert "test" in str(error.value) and "train" in str(error.value)


def world(prompts: int = 20, seed: int = 0, **generators: float) -> SourceSpec:
    made = {"kind": "world", "prompts": prompts, "seed": seed, "generators": generators}
    return TypeAdapter(SourceSpec).validate_python(made)


def test_the_world_answers_as_before_when_a_generator_or_prompts_join() -> None:
    small, _ = load("w", world(prompts=20, weak=0.2))
    large, card = load("w", world(prompts=40, weak=0.2, strong=0.9))
    weak = large.responses[large.responses["family"] == "weak"]
    shared = small.responses.merge(weak, on=["response_id", "prompt_id", "response"])
    # a response that "strong" also gives is under the alphabetically first generator
    by_both = set(small.responses["response_id"]) & set(large.responses.query("family == 'strong'")["response_id"])
    assert len(shared) + len(by_both) == 20 == len(small.responses)
    assert card["rows_read"] == 40 and card["responses_read"] == 80
    assert card["path"] is None


def test_the_world_gives_each_generator_and_seed_slips_of_its_own() -> None:
    twins, card = load("w", world(prompts=30, one=0.2, other=0.2))
    assert card["generators"]["other"] > 20
    again, _ = load("w", world(prompts=30, one=0.2, other=0.2))
    assert again.responses.equals(twins.responses)
    other_seed, _ = load("w", world(prompts=30, seed=1, one=0.2))
    assert not set(other_seed.responses["response_id"]) & set(twins.responses["response_id"])


def test_the_step_writes_tables_of_the_schemas_and_the_same_bytes_twice(tmp_path: Path) -> None:
    path = lines(tmp_path / "p.jsonl", [{"prompt": "Q", "chosen": "x", "rejected": "y"}])
    spec = json.dumps({"kind": "pairs", "path": str(path)})

    def step(out: Path) -> list[Path]:
        files = [out / f"{name}.parquet" for name in ("prompts", "responses", "annotations")] + [out / "card.json"]
        flags = [f"--{file.stem}" for file in files]
        command = [sys.executable, "-m", "scripts.sources.load", "--name", "src", "--spec", spec]
        command += [str(part) for pair in zip(flags, files, strict=True) for part in pair]
        subprocess.run(command, check=True, capture_output=True)
        return files

    first, second = step(tmp_path / "a"), step(tmp_path / "b")
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]
    prompts, responses = read_table(first[0], PROMPTS), read_table(first[1], RESPONSES)
    assert prompts["source"].tolist() == ["src"] and prompts["split"].tolist() == ["train"]
    assert sorted(responses["response"]) == ["x", "y"]
    assert sorted(read_table(first[2], ANNOTATIONS)["score"]) == [0.0, 1.0]
    assert read_json(first[3])["responses"] == 2
