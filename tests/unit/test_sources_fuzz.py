"""Any source file gives either a message that names file and row, or a complete table and card."""

import copy
import csv
import gzip
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.lib.errors import InputError
from scripts.lib.ids import prompt_id, response_id
from scripts.lib.schemas import ANNOTATIONS, PROMPTS, RESPONSES
from scripts.lib.tables import read_table, write_json, write_table
from scripts.sources.load import load
from tests.sources_data import lines, spec_of

TURNS = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "good"}]
RATED = {"helpfulness": {"Rating": "4", "Rationale": "so"}, "honesty": {"Rating": "N/A"}}


def message(name: str, parent: str | None, role: str, **rest) -> dict:
    return {"message_id": name, "parent_id": parent, "role": role, "text": f"text of {name}", "lang": "en", **rest}


FLAT_TREE = [
    message("r", None, "prompter", tree_state="ready_for_export"),
    message("a", "r", "assistant", rank=0, review_result=True, deleted=False),
    message("b", "r", "assistant", rank=1, model_name="m"),
    message("c", "r", "assistant", rank=2),
    message("d", "a", "prompter"),
]
NESTED_TREE = {"tree_state": "ready_for_export", "prompt": {**FLAT_TREE[0], "replies": FLAT_TREE[1:4]}}

FORMATS: dict[str, tuple[str, list[dict], dict]] = {
    "ultrafeedback": (
        "ultrafeedback",
        [
            {
                "instruction": "Why?",
                "completions": [
                    {"model": "a", "response": "So.", "overall_score": 7.5, "annotations": RATED},
                    {"model": "b", "response": "No.", "fine-grained_score": 3.0},
                ],
            },
            {"instruction": "What?", "completions": [{"model": "a", "response": "It.", "overall_score": "N/A"}]},
        ],
        {},
    ),
    "binarized": (
        "ultrafeedback_binarized",
        [
            {"prompt": "Q", "chosen": "good", "rejected": "bad", "score_chosen": 9, "score_rejected": 1.5},
            {"prompt": "R", "chosen": "yes", "rejected": "no", "chosen-rating": 2, "rejected-rating": 1},
        ],
        {},
    ),
    "binarized, messages": (
        "ultrafeedback_binarized",
        [
            {
                "prompt": "Q",
                "chosen": TURNS,
                "rejected": [TURNS[0], {"role": "assistant", "content": "bad"}],
                "all_generated_responses": ["good", "bad", "else"],
                "all_rm_scores": [0.5, 0.1, 0.3],
                "metadata": {"score_chosen": 1.0, "score_rejected": 0.0},
            }
        ],
        {},
    ),
    "trees": ("open_assistant", [NESTED_TREE, NESTED_TREE["prompt"]], {"languages": ["en"]}),
    "messages": ("open_assistant", FLAT_TREE, {"min_responses": 2}),
    "hh": (
        "hh_rlhf",
        [
            {"chosen": "\n\nHuman: Q\n\nAssistant: good", "rejected": "\n\nHuman: Q\n\nAssistant: bad"},
            {"chosen": "\n\nHuman: R\n\nAssistant: yes", "rejected": "\n\nHuman: R\n\nAssistant: no"},
        ],
        {},
    ),
    "alpaca_eval": (
        "alpaca_eval",
        [
            {"instruction": "Q", "output": "A", "generator": "m", "preference": 1.5},
            {"instruction": "R", "output": "B", "generator": "m"},
        ],
        {},
    ),
    "responses": (
        "responses",
        [{"q": "Q", "a": "A", "who": "m", "s": 1.5}, {"q": "Q", "a": "B", "who": "n", "s": 2}],
        {"columns": {"prompt": "q", "response": "a", "generator": "who", "annotations": ["s"]}},
    ),
    "pairs": (
        "pairs",
        [
            {"prompt": "Q", "chosen": "x", "rejected": "y", "s": 1, "t": 0},
            {"prompt": TURNS[:1], "chosen": TURNS[1:], "rejected": TURNS, "s": 1, "t": 0},
        ],
        {"columns": {"chosen_score": "s", "rejected_score": "t"}},
    ),
    "pairs, messages as text": (
        "pairs",
        [
            {"prompt": "Q", "chosen": repr(TURNS), "rejected": json.dumps(TURNS).replace("good", "bad")},
            {
                "sys": "Be brief.",
                "past": [["Hi", "Hello"]],
                "prompt": "Q",
                "chosen": "good",
                "rejected": repr(TURNS[1:]),
            },
        ],
        {"columns": {}},
    ),
    "comparisons": (
        "comparisons",
        [
            {"sys": "Be brief.", "past": [["Hi", "Hello"]], "q": "Q", "a": "x", "b": "y", "winner": "model_a"},
            {"sys": "", "past": None, "q": "Q", "a": TURNS[1:], "b": "y", "winner": "model_b"},
            {"sys": "", "past": "[]", "q": "Q", "a": "x", "b": "y", "winner": "tie"},
        ],
        {
            "columns": {
                "prompt": "q",
                "system": "sys",
                "history": "past",
                "first": "a",
                "second": "b",
                "winner": "winner",
            },
            "ties": "keep",
        },
    ),
    "battles": (
        "comparisons",
        [
            {"prompt": '["Q"]', "a": '["x"]', "b": '["y", null]', "won_a": 1, "won_b": 0, "tied": 0},
            {"prompt": ["Q", "more"], "a": ["b", "x"], "b": ["b", "y"], "won_a": "False", "won_b": True, "tied": None},
        ],
        {"columns": {"first": "a", "second": "b", "winner": {"first": "won_a", "second": "won_b", "tie": "tied"}}},
    ),
    "reasoning": (
        "pairs",
        [{"prompt": "Q", "chosen": [{**TURNS[1], "reasoning_content": "so"}], "rejected": "bad"}],
        {"reasoning": "reasoning_content"},
    ),
}

HOSTILE = st.one_of(
    st.sampled_from([None, True, False, 0, -1, 10**18, 10**400, 1e308, math.nan, math.inf, -math.inf]),
    st.sampled_from(
        ["", " ", "\n\n", "N/A", "nan", "-inf", "1e999", "\0", "\ud83d", "\ufeff", "é", "e\u0301", "\u2028"]
    ),
    st.sampled_from(
        ["x" * 300_000, "\n\nHuman:", "\n\nAssistant: ", "user", "tool", "../../etc/passwd", "r", "a", "d"]
    ),
    st.sampled_from(
        [[], {}, [None], [[]], {"": ""}, {"role": "user"}, TURNS, TURNS[1:], [*TURNS, *TURNS], [TURNS[0]] * 2]
    ),
    st.text(max_size=5),
    st.floats(),
    st.integers(),
)


def places(value: Any, at: tuple = ()) -> Iterator[tuple]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*at, key)
        yield from places(item, (*at, key))


@st.composite
def damaged(draw) -> tuple[str, list]:
    """A format's rows with one to four values removed, renamed, replaced or moved, or rows repeated."""
    name = draw(st.sampled_from(sorted(FORMATS)))
    rows = copy.deepcopy(FORMATS[name][1]) * draw(st.integers(1, 2))
    for _ in range(draw(st.integers(1, 4))):
        *path, key = draw(st.sampled_from(list(places(rows)) or [("none",)]))
        if key == "none":
            break
        part = rows
        for step in path:
            part = part[step]
        change = draw(st.sampled_from(["remove", "rename", "replace", "replace", "replace", "transplant", "repeat"]))
        if change == "remove":
            del part[key]
        elif change == "rename" and isinstance(part, dict):
            part[draw(st.sampled_from(["", "role", "from", "value", "replies", "prompt", "x"]))] = part.pop(key)
        elif change == "repeat" and isinstance(part, list):
            part.insert(draw(st.integers(0, len(part))), copy.deepcopy(part[key]))
        elif change == "transplant":
            other = rows
            for step in draw(st.sampled_from(list(places(rows)))):
                other = other[step]
            part[key] = copy.deepcopy(other)
        else:
            part[key] = copy.deepcopy(draw(HOSTILE))
    return name, rows


def written(rows: list, folder: Path, kind: str) -> Path:
    """The rows as a file of a given type; as JSON Lines if that type cannot hold them."""
    path = folder / f"d.{kind}"
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if kind == "json":
        path.write_text(json.dumps(rows, indent=1))
    elif kind == "jsonl.gz":
        path.write_bytes(gzip.compress(text.encode()))
    elif kind == "parquet":
        try:
            pq.write_table(pa.Table.from_pylist(rows), path)
        except (pa.ArrowException, TypeError, AttributeError, UnicodeEncodeError, OverflowError):
            return written(rows, folder, "jsonl")
    elif kind == "csv":
        if not all(isinstance(row, dict) for row in rows) or not rows:
            return written(rows, folder, "jsonl")
        out = io.StringIO()
        writer = csv.DictWriter(out, sorted({str(key) for row in rows for key in row}))
        writer.writeheader()
        writer.writerows([{str(key): value for key, value in row.items()} for row in rows])
        path.write_bytes(out.getvalue().encode("utf-8", "surrogatepass"))
    else:
        path.write_text(text)
    return path


def refused_or_whole(name: str, path: Path, folder: Path) -> InputError | None:
    kind, _, options = FORMATS[name]
    try:
        tables, card = load("src", spec_of(kind, path, **options))
    except InputError as error:
        text = str(error)
        text.encode()
        assert text.startswith(str(path)) and "\n  remedy: " in text and len(text) < 2000
        return error
    assert card["responses_read"] == card["responses"] + sum(card["dropped"].values())
    assert card["responses"] == len(tables.responses) > 0 and card["prompts"] == len(tables.prompts) > 0
    for table, schema in ((tables.prompts, PROMPTS), (tables.responses, RESPONSES), (tables.annotations, ANNOTATIONS)):
        write_table(table, folder / "t.parquet", schema)
        assert len(read_table(folder / "t.parquet", schema)) == len(table)
    write_json(card, folder / "card.json")
    assert all(prompt_id(row.prompt) == row.prompt_id for row in tables.prompts.itertuples())
    assert all(response_id(row.prompt_id, row.response) == row.response_id for row in tables.responses.itertuples())
    assert set(tables.responses["prompt_id"]) == set(tables.prompts["prompt_id"])
    assert set(tables.annotations["response_id"]) <= set(tables.responses["response_id"])
    return None


QUICK = settings(max_examples=120, suppress_health_check=list(HealthCheck), derandomize=True)
KINDS = st.sampled_from(["jsonl", "json", "jsonl.gz", "csv", "parquet"])


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_the_undamaged_rows_are_read(tmp_path: Path, name: str) -> None:
    assert refused_or_whole(name, written(FORMATS[name][1], tmp_path, "jsonl"), tmp_path) is None


def values_changed(case: tuple[str, list], kind: str, folder: Path) -> None:
    name, rows = case
    path = written(rows, folder, kind)
    error = refused_or_whole(name, path, folder)
    whole_file = ("none of ", "datasets cannot read it", "has no rows", "split 'train'")
    if error is not None and not any(words in str(error) for words in whole_file):
        assert ", line " in str(error) or ", row " in str(error), str(error)


@QUICK
@given(damaged(), KINDS)
def test_damaged_rows_are_named_or_counted(tmp_path_factory, case, kind) -> None:
    values_changed(case, kind, tmp_path_factory.getbasetemp())


@pytest.mark.slow
@settings(QUICK, max_examples=500, derandomize=False)
@given(damaged(), KINDS)
def test_many_damaged_rows_are_named_or_counted(tmp_path_factory, case, kind) -> None:
    values_changed(case, kind, tmp_path_factory.getbasetemp())


@st.composite
def damaged_bytes(draw) -> tuple[str, str, list[tuple[float, int, bytes]]]:
    """A format, a file type, and changes: the position (a share), how many bytes are removed, what replaces them."""
    marks = [b'"', b"\\", b"{", b"}", b",", b"\n", b"\r", b"\0", b"\xff", b"\xed\xa0\xbd", b"NaN", b"1e999", b"\\ud83d"]
    changes = st.tuples(
        st.floats(0, 1), st.sampled_from([0, 1, 2, 50, 10**6]), st.one_of(st.sampled_from(marks), st.binary())
    )
    return draw(st.sampled_from(sorted(FORMATS))), draw(KINDS), draw(st.lists(changes, min_size=1, max_size=3))


def bytes_changed(case, folder: Path) -> None:
    name, kind, changes = case
    path = written(FORMATS[name][1], folder, kind)
    data = bytearray(path.read_bytes())
    for share, gone, come in changes:
        at = int(share * len(data))
        data[at : at + gone] = come
    path.write_bytes(data)
    refused_or_whole(name, path, folder)


@QUICK
@given(damaged_bytes())
def test_damaged_files_are_named_or_counted(tmp_path_factory, case) -> None:
    bytes_changed(case, tmp_path_factory.getbasetemp())


@pytest.mark.slow
@settings(QUICK, max_examples=500, derandomize=False)
@given(damaged_bytes())
def test_many_damaged_files_are_named_or_counted(tmp_path_factory, case) -> None:
    bytes_changed(case, tmp_path_factory.getbasetemp())


def test_an_integer_beyond_all_floats_is_not_finite(tmp_path: Path) -> None:
    rows = [{"q": "Q", "a": "A", "who": "m", "s": 10**400}]
    _, card = load("src", spec_of("responses", lines(tmp_path / "d.jsonl", rows), **FORMATS["responses"][2]))
    assert card["annotations_skipped"] == {"not_finite": 1}


def test_an_enormous_response_is_kept_whole(tmp_path: Path) -> None:
    rows = [{"q": "Q", "a": "word " * 1_000_000, "who": "m", "s": 1.0}]
    for kind in ("jsonl", "csv", "parquet"):
        path = written(rows, tmp_path, kind)
        tables, _ = load("src", spec_of("responses", path, **FORMATS["responses"][2]))
        assert tables.responses["response"].tolist() == [("word " * 1_000_000).strip()]


def test_a_deep_tree_is_read_or_named(tmp_path: Path) -> None:
    reply: dict = message("leaf", None, "assistant")
    for at in range(300):
        reply = {**message(f"m{at}", None, "assistant"), "replies": [reply]}
    tree = {**message("root", None, "prompter"), "replies": [reply, message("x", None, "assistant")]}
    _, card = load("src", spec_of("open_assistant", lines(tmp_path / "t.jsonl", [tree]), min_responses=2))
    assert card["dropped"] == {"later_turn": 300} and card["responses"] == 2


def test_trees_in_circles_are_counted_as_such(tmp_path: Path) -> None:
    rows = [*FLAT_TREE, message("x", "y", "assistant"), message("y", "z", "prompter"), message("z", "x", "assistant")]
    rows += [
        message("self", "self", "assistant"),
        message("lost", "nowhere", "assistant"),
        message("w", "x", "prompter"),
    ]
    _, card = load("src", spec_of("open_assistant", lines(tmp_path / "t.jsonl", rows)))
    assert card["dropped"] == {"later_turn": 1, "no_way_to_a_root": 6} and card["responses"] == 3
