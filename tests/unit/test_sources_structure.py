"""Messages that arrive as text are the messages, in every form in which they are printed; plain text stays text."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.lib.errors import InputError
from scripts.sources.structure import messages_in, structured
from tests.sources_data import lines, loaded

texts = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ["a}\n {b", "'\"'", '{"role": "user"}', "]", "[{'role': 'user', 'content': 'x'}]", "\\n", "None", "nan", "x\u2028y"]
)
turns = st.lists(texts, min_size=1, max_size=4).map(
    lambda said: [{"content": text, "role": ("user", "assistant")[at % 2]} for at, text in enumerate(said)]
)
FORMS = {
    "JSON": json.dumps,
    "JSON, indented": lambda messages: json.dumps(messages, indent=1, ensure_ascii=False),
    "Python": repr,
    "numpy": lambda messages: str(np.array(messages, dtype=object)),
    "numpy, nested": lambda messages: repr(np.array(messages, dtype=object)),
}


@pytest.mark.parametrize("form", FORMS)
@given(turns)
def test_printed_messages_are_read_back(form: str, messages: list) -> None:
    assert messages_in(FORMS[form](messages)) == messages
    sharegpt = [{"from": turn["role"], "value": turn["content"]} for turn in messages]
    assert messages_in(f" {FORMS[form](sharegpt)}\n") == sharegpt


@pytest.mark.parametrize("form", FORMS)
@given(turns, st.data())
def test_messages_that_are_cut_off_are_never_taken_for_text(form: str, messages: list, data) -> None:
    whole = FORMS[form](messages)
    known = whole.find("'assistant'" if "P" in form or "num" in form else '"assistant"')
    cut = data.draw(st.integers(max(known, 0) + 11, max(known + 12, len(whole) - 1)))
    if known < 0 or cut >= len(whole.rstrip(")")) - len(", dtype=object") - 1:
        return
    try:
        assert messages_in(whole[:cut]) is not None  # only where a text quotes a whole list
    except ValueError as error:
        assert "cut off" in str(error)


@given(texts)
def test_other_text_is_no_messages(text: str) -> None:
    for plain in (text, f"[{text}]", json.dumps([text]), json.dumps([{"name": text}]), f"{text} [{{'role': 'user'}}]"):
        if not plain.startswith("[{'role': 'user', 'content'"):
            assert messages_in(plain) is None


@pytest.mark.parametrize(
    "text",
    [
        '[{"role": "user", "content": "Hi"}]\nWhat does the user say?',
        "[{'role': 'admin', 'content': 'x'}]",
        '[{"role": "user"}]',
        "[1, 2]",
    ],
)
def test_a_text_about_messages_is_text(text: str) -> None:
    assert messages_in(text) is None


@given(st.recursive(st.none() | st.integers() | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)))
def test_structure_comes_back_from_both_spellings(value) -> None:
    if isinstance(value, list | dict):
        assert structured(json.dumps(value)) == structured(repr(value)) == value


PAIR = {
    "prompt": [{"role": "user", "content": 'Name a "prime".\nIt\'s {for} me'}],
    "chosen": [{"role": "user", "content": 'Name a "prime".\nIt\'s {for} me'}, {"role": "assistant", "content": "7\n"}],
    "rejected": [{"role": "user", "content": 'Name a "prime".\nIt\'s {for} me'}, {"role": "assistant", "content": "9"}],
    "metadata": {"score_chosen": 8.0, "score_rejected": 2.0},
}


@pytest.mark.parametrize("kind", ["pairs", "ultrafeedback_binarized"])
@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_printed_messages_gives_the_tables_of_the_messages(tmp_path: Path, kind: str, form: str) -> None:
    expected = loaded(kind, lines(tmp_path / "native.jsonl", [PAIR]))[0]
    printed = {name: FORMS[form](value) if isinstance(value, list) else repr(value) for name, value in PAIR.items()}
    with open(tmp_path / "t.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(printed))
        writer.writeheader()
        writer.writerow(printed)
    assert loaded(kind, tmp_path / "t.csv")[0] == expected
    assert loaded(kind, lines(tmp_path / "t.jsonl", [printed]))[0] == expected


def test_a_response_of_kind_responses_may_be_a_conversation(tmp_path: Path) -> None:
    row = {"prompt": "Q", "generator": "g", "response": repr(PAIR["chosen"][1:])}
    assert loaded("responses", lines(tmp_path / "t.jsonl", [row]))[0] == {("Q",): {"7": ("g", {})}}


def test_messages_that_a_cell_cuts_off_are_refused_with_the_line(tmp_path: Path) -> None:
    row = {"prompt": "Q", "chosen": repr(PAIR["chosen"])[:-5], "rejected": "x"}
    with pytest.raises(InputError, match=r"t\.jsonl, line 1: column 'chosen' is .*cut off or not readable\n  remedy: "):
        loaded("pairs", lines(tmp_path / "t.jsonl", [row]))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(texts.filter(str.strip), min_size=1, max_size=3, unique=True))
def test_completions_and_scores_as_text_are_read(tmp_path: Path, responses: list[str]) -> None:
    completions = [{"model": f"m{at}", "response": text, "overall_score": at} for at, text in enumerate(responses)]
    row = {"instruction": "Q", "completions": completions}
    found = [
        loaded("ultrafeedback", lines(tmp_path / "t.jsonl", [each]))[0]
        for each in (row, row | {"completions": repr(completions)}, row | {"completions": json.dumps(completions)})
    ]
    assert found[0] == found[1] == found[2]
