"""Local files give the rows that ``datasets.load_dataset`` gives, unless its types change them."""

import json
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter

from scripts.lib.config.sources import StoredSource
from scripts.sources.rows import read_rows

ROWS = [
    {
        "prompt": f"prompt {n}",
        "chosen": [{"role": "user", "content": "ü"}],
        "meta": {"score": n / 4, "tags": ["a", "b"][: n % 3]},
    }
    for n in range(7)
]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def write(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def ours(path: Path, split: str = "train", subset: str | None = None) -> list[dict]:
    spec = TypeAdapter(StoredSource).validate_python({"path": str(path), "split": split, "subset": subset})
    return [row.values for row in read_rows(spec)]


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".parquet"])
def test_a_file_is_read_as_datasets_reads_it(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "data" / f"file{suffix}"
    write(path, ROWS)
    kind = "parquet" if suffix == ".parquet" else "json"
    assert ours(path) == list(datasets.load_dataset(kind, data_files=str(path), split="train")) == ROWS


@pytest.mark.parametrize(
    "names", [["b.jsonl", "a.jsonl"], ["data/train-1.parquet", "data/test-0.parquet", "data/train-0.parquet"]]
)
def test_a_folder_is_read_as_datasets_reads_it(tmp_path: Path, names: list[str]) -> None:
    folder = tmp_path / "folder"
    for at, name in enumerate(names):
        write(folder / name, ROWS[2 * at : 2 * at + 2])
    assert ours(folder) == list(datasets.load_dataset(str(folder), split="train"))


def test_a_folder_with_subsets_is_read_as_datasets_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    write(folder / "x" / "one.jsonl", ROWS[:3])
    write(folder / "y" / "two.jsonl", ROWS[3:])
    configs = "- config_name: x\n  data_files:\n  - split: prefs\n    path: x/*\n- config_name: y\n  data_files: y/*\n"
    (folder / "README.md").write_text(f"---\nconfigs:\n{configs}---\n")
    assert ours(folder, "prefs", "x") == list(datasets.load_dataset(str(folder), "x", split="prefs")) == ROWS[:3]
    assert ours(folder, subset="y") == ROWS[3:]
