"""Tables larger than memory: parts give the same tables as wholes, and a step's memory does not grow with its text."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.lib import tables
from scripts.lib.errors import InputError
from scripts.lib.ids import prompt_id, response_id
from scripts.lib.rewards import Annotation, annotated
from scripts.lib.schemas import ANNOTATIONS, PROMPTS, RESPONSES, SCORES
from scripts.lib.scored import read_scored
from scripts.lib.tables import frame_of, ordered, read_batches, read_table, runs_of, write_table, writing
from scripts.sources.gather import gathered


def scores(n: int) -> pd.DataFrame:
    return pd.DataFrame({"response_id": [f"r{at:05d}" for at in range(n)], "score": np.arange(n) / 3})


def test_a_table_written_in_parts_is_the_file_that_one_written_at_once_is(tmp_path: Path) -> None:
    frame = scores(1000)
    write_table(frame, tmp_path / "whole", SCORES)
    for cuts in ([], [1], [10, 500, 500, 999]):
        with writing(tmp_path / "parts", SCORES) as table:
            for start, stop in zip([0, *cuts], [*cuts, 1000], strict=True):
                table.write(frame[start:stop])
        assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()
    write_table(frame[:0], tmp_path / "whole", SCORES)
    with writing(tmp_path / "parts", SCORES):
        pass
    assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()


def test_row_groups_do_not_depend_on_the_parts_of_a_small_table(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tables, "ROW_GROUP", 64)
    files = []
    for step in (1000, 64, 7):
        with writing(tmp_path / "parts", SCORES) as table:
            for start in range(0, 1000, step):
                table.write(scores(1000)[start : start + step])
        files.append((tmp_path / "parts").read_bytes())
    assert files[0] == files[1] == files[2]
    assert read_table(tmp_path / "parts", SCORES).equals(scores(1000))


def test_what_a_part_has_wrong_is_named_by_its_row_and_leaves_no_file(tmp_path: Path) -> None:
    bad = scores(10).assign(score=[*range(9), np.nan])
    with pytest.raises(InputError, match=r"row 19: score is n"), writing(tmp_path / "x", SCORES) as table:
        table.write(scores(10).assign(response_id=list("abcdefghij")))
        table.write(bad)
    with (
        pytest.raises(InputError, match=r"row 10: a second row for .*r00000"),
        writing(tmp_path / "x", SCORES) as table,
    ):
        table.write(scores(10))
        table.write(scores(1))
    assert list(tmp_path.iterdir()) == []


def test_keys_of_one_hash_are_no_shared_keys(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(pd.util, "hash_pandas_object", lambda frame, **_: pd.Series(np.zeros(len(frame), np.uint64)))
    with writing(tmp_path / "x", SCORES) as table:
        table.write(scores(10))
    assert len(read_table(tmp_path / "x", SCORES)) == 10


def test_parts_and_columns_of_a_table_are_checked_when_read(tmp_path: Path) -> None:
    write_table(scores(100), tmp_path / "x", SCORES)
    parts = list(read_batches(tmp_path / "x", SCORES, rows=30))
    assert [len(part) for part in parts] == [30, 30, 30, 10]
    assert pd.concat([frame_of(part, SCORES) for part in parts], ignore_index=True).equals(scores(100))
    assert read_table(tmp_path / "x", SCORES, ["score"]).equals(scores(100)[["score"]])
    with pytest.raises(InputError, match="responses table needs"):
        read_table(tmp_path / "x", RESPONSES, ["response_id"])
    with pytest.raises(InputError, match="run snakemake"):
        next(read_batches(tmp_path / "none", SCORES))


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "Z", "é"]), st.integers(-2, 2)), max_size=30))
def test_sorting_and_runs_are_those_of_pandas(rows: list) -> None:
    frame = pd.DataFrame(rows, columns=["name", "score"]).astype({"name": "str", "score": float})
    frame["place"] = np.arange(len(frame))
    expected = frame.sort_values(["name", "score"], ascending=[True, False], kind="stable", ignore_index=True)
    found = ordered(frame, ["name", "score"], descending=["score"])
    assert found.equals(expected)
    start, size = runs_of(found["name"])
    names = found["name"].tolist()
    assert [names[at] for at in start] == sorted(set(names))
    assert size.tolist() == [names.count(name) for name in sorted(set(names))]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 49)), max_size=60), st.booleans())
def test_rows_are_gathered_in_the_order_asked_for(tmp_path_factory, places: list, forward: bool) -> None:
    folder = tmp_path_factory.getbasetemp()
    paths = [folder / "one", folder / "two"]
    for path in paths:
        if not path.exists():
            write_table(scores(50).assign(score=len(path.name)), path, SCORES)
    asked = pd.DataFrame(places, columns=["at", "row"], dtype=np.int64)
    asked = asked.drop_duplicates().sort_values("row") if forward else asked
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scripts.sources.gather.BATCH", 7)
        found = [row for part, _ in gathered(paths, SCORES, asked) for row in part.to_pylist()]
    expected = [{"response_id": f"r{row:05d}", "score": 3.0} for _, row in asked.itertuples(index=False)]
    assert found == expected


def test_annotations_by_id_are_those_that_the_texts_lead_to(tmp_path: Path) -> None:
    prompts = [[{"role": "user", "content": f"p {at}"}] for at in range(20)]
    rows, notes = [], []
    for at, prompt in enumerate(prompts):
        for answer in range(3):
            of, text = prompt_id(prompt), f"answer {answer}"
            rows.append((response_id(of, text), of, "set.a" if at % 2 else "set.b", text))
            notes += [(rows[-1][0], name, at + answer / 4) for name in ("stars", "rank")[: answer % 3]]
    write_table(pd.DataFrame(rows, columns=RESPONSES.required), tmp_path / "responses", RESPONSES)
    write_table(pd.DataFrame(notes, columns=list(ANNOTATIONS.columns)), tmp_path / "notes", ANNOTATIONS)
    found, responses = annotated(tmp_path / "responses", "set.a", tmp_path / "notes", "stars")
    scorer = Annotation({key: value for key, name, value in notes if name == "stars"})
    family = [(row, prompts[at // 3]) for at, row in enumerate(rows) if row[2] == "set.a"]
    given = scorer.score([(prompt, row[3]) for row, prompt in family])
    expected = [(row[0], value) for (row, _), value in zip(family, given, strict=True) if value is not None]
    assert list(found.itertuples(index=False, name=None)) == expected and responses == 30
    with pytest.raises(InputError, match=r"no annotation 'best'[\s\S]*rank, stars"):
        annotated(tmp_path / "responses", "set.a", tmp_path / "notes", "best")
    with pytest.raises(InputError, match=r"no response of family set.c[\s\S]*set.a, set.b"):
        annotated(tmp_path / "responses", "set.c", tmp_path / "notes", "stars")

    write_table(found, tmp_path / "some", SCORES)
    scored, unscored = read_scored(tmp_path / "responses", [tmp_path / "some"])
    assert scored.merge(found, on=["response_id", "score"]).shape[0] == len(found) == len(scored) == 60 - unscored
    with pytest.raises(InputError, match="two scores of response"):
        read_scored(tmp_path / "responses", [tmp_path / "some", tmp_path / "some"])


RESPONSES_IN_ALL, SHORT, LONG = 15_000, 100, 10_000
"""For the steps below: the number of responses, and their length in characters. The long ones are 150 MB."""


def peak_mb(step: str, *arguments: object) -> float:
    """The peak memory of a step in a separate process."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    command = [sys.executable, "-m", step, *map(str, arguments)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_maxrss / 1e3


def loaded_and_curated(folder: Path, characters: int) -> tuple[float, float]:
    """Peak memory of load and curate for this many responses, ten per prompt."""
    folder.mkdir()
    draw = np.random.default_rng(0)
    with open(folder / "rows.jsonl", "w") as file:
        for at in range(RESPONSES_IN_ALL):
            text = draw.integers(0, 16, size=characters, dtype=np.uint8).tobytes().translate(bytes(range(97, 113)) * 16)
            file.write(json.dumps({"prompt": f"prompt {at // 10}", "response": text.decode()}) + "\n")
    names = ("prompts", "responses", "annotations")
    spec = {"kind": "responses", "path": str(folder / "rows.jsonl"), "columns": {"generator": None}}
    tables = [text for name in names for text in (f"--{name}", folder / f"source/{name}.parquet")]
    flags = ["--name", "s", "--spec", json.dumps(spec), *tables, "--card", folder / "source/card.json"]
    load = peak_mb("scripts.sources.load", *flags)
    out = [text for name in names for text in (f"--out-{name}", folder / f"set/{name}.parquet")]
    spec = json.dumps({"sources": ["s"], "near_duplicates": 0.9})
    curate = peak_mb(
        "scripts.sources.curate", "--name", "set", "--spec", spec, *tables, *out, "--card", folder / "set/card.json"
    )
    assert len(read_table(folder / "set/responses.parquet", RESPONSES, ["response_id"])) == RESPONSES_IN_ALL
    assert len(read_table(folder / "set/prompts.parquet", PROMPTS, ["prompt_id"])) == RESPONSES_IN_ALL // 10
    return load, curate


@pytest.mark.slow
def test_memory_does_not_grow_with_text(tmp_path: Path) -> None:
    short, long = (loaded_and_curated(tmp_path / str(size), size) for size in (SHORT, LONG))
    print(f"load {short[0]:.0f} and {long[0]:.0f} MB, curate {short[1]:.0f} and {long[1]:.0f} MB")
    text = RESPONSES_IN_ALL * LONG / 1e6
    for less, more in zip(short, long, strict=True):
        assert more - less < 1.5 * text  # buffers of fixed size; holding the text would take several copies
