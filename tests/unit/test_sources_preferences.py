"""Preferences of a source: each row is one, or is counted; their responses are those that load keeps."""

import math
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.config.sources import SourceSpec
from scripts.lib.errors import InputError
from scripts.lib.ids import normalise, prompt_id, response_id
from scripts.lib.schemas import PREFERENCES
from scripts.lib.tables import read_json, read_table
from scripts.sources import preferences as step
from scripts.sources.load import load, records_of
from scripts.sources.preferences import Preference, extract, preferences
from scripts.sources.records import Collection, Dropped, Tables, whole
from scripts.sources.row import Row
from tests.sources_data import lines, spec_of

# few texts, so that equal ones are common, some of them only after normalising
clean = st.sampled_from(["a", " a\n", "b", "é", "e\u0301", "c"])
texts = clean | st.sampled_from(["", " ", "\ud800"])
scores = st.none() | st.sampled_from([math.nan, math.inf, "N/A"]) | st.integers(-3, 3)
PAIRS = spec_of("pairs", "rows.jsonl", columns={"chosen_score": "up", "rejected_score": "down"})
BINARIZED = spec_of("ultrafeedback_binarized", "rows.jsonl")
limits = st.none() | st.integers(1, 3)


def pair_rows(of: st.SearchStrategy) -> st.SearchStrategy:
    side = of | of.map(lambda text: [{"role": "assistant", "content": text}])
    row = {"prompt": of, "chosen": side, "rejected": side, "up": scores, "down": scores}
    return st.lists(st.fixed_dictionaries(row), max_size=15)


def told(values: list[dict], spec: SourceSpec = PAIRS, limit: int | None = None) -> list[Preference | str]:
    """What each row gives: a preference, or the reason for none."""
    rows = [Row(f"row {at}", each) for at, each in enumerate(values)]
    found = preferences(records_of(rows, spec), limit)
    return [each.reason if isinstance(each, Dropped) else each for each in found]


def loaded(values: list[dict], limit: int | None = None) -> Tables:
    rows = [Row(f"row {at}", each) for at, each in enumerate(values)]
    with Collection("src", "train", 1, limit) as collection:
        collection.add(records_of(rows, PAIRS))
        return whole(collection)


def by_hand(values: list[dict], limit: int | None) -> list[Preference | str]:
    """As ``told``, by a direct implementation of the rules."""

    def flaw(prompt: str, response: str) -> str | None:
        if not normalise(prompt):
            return "empty_prompt"
        if not normalise(response):
            return "empty_response"
        return "not_unicode" if "\ud800" in prompt + response else None

    found: list[Preference | str] = []
    kept: list[str] = []
    for row in values:
        prompt, sides = normalise(row["prompt"]), (row["chosen"], row["rejected"])
        two = [side if isinstance(side, str) else side[0]["content"] for side in sides]
        flaws = [flaw(prompt, text) for text in two]
        if normalise(two[0]) == normalise(two[1]):
            found.append("chosen_equals_rejected")
            continue
        if not all(flaws) and prompt not in kept:
            kept.append(prompt)
        cut = None if limit is None or prompt in kept[:limit] else "over_limit"
        if reason := next((each or cut for each in flaws if each or cut), None):
            found.append(reason)
            continue
        of_prompt = prompt_id([{"role": "user", "content": prompt}])
        both = [row["up"], row["down"]]
        if not all(isinstance(each, int) for each in both):
            both = [None, None]
        found.append(Preference(of_prompt, *(response_id(of_prompt, text) for text in two), *both))
    return found


@given(pair_rows(texts), limits)
def test_each_row_is_one_preference_or_one_reason_in_the_rows_order(values: list[dict], limit: int | None) -> None:
    assert told(values, limit=limit) == by_hand(values, limit)


@given(pair_rows(texts), limits)
def test_every_response_that_a_preference_names_is_one_that_load_keeps(values: list[dict], limit: int | None) -> None:
    tables = loaded(values, limit)
    stored = set(zip(tables.responses["prompt_id"], tables.responses["response_id"], strict=True))
    found = [each for each in told(values, limit=limit) if isinstance(each, Preference)]
    assert {(each.prompt_id, key) for each in found for key in each[1:3]} <= stored


@given(pair_rows(clean), limits)
def test_the_share_of_pairs_that_a_response_wins_is_its_annotation(values: list[dict], limit: int | None) -> None:
    tables = loaded(values, limit)
    won: dict[str, list[float]] = {}
    for each in told(values, limit=limit):
        if isinstance(each, Preference):
            won.setdefault(each.chosen_id, []).append(1.0)
            won.setdefault(each.rejected_id, []).append(0.0)
    preferred = tables.annotations[tables.annotations["annotation"] == "preferred"]
    expected = dict(zip(preferred["response_id"], preferred["score"], strict=True))
    assert {key: sum(wins) / len(wins) for key, wins in won.items()} == pytest.approx(expected)


@given(pair_rows(texts), st.data())
def test_other_samples_beside_a_pair_change_nothing(values: list[dict], data) -> None:
    more = []
    for row in values:
        own = [row["chosen"], row["rejected"], "else", "more"]
        plain = [text if isinstance(text, str) else text[0]["content"] for text in own]
        sampled = data.draw(
            st.permutations(plain).flatmap(lambda order: st.sampled_from([order, order[1:], order[2:]]))
        )
        more.append(row | {"all_generated_responses": sampled, "all_rm_scores": [0.5] * len(sampled)})
    assert told(more, BINARIZED) == told(values, BINARIZED)


def run(name: str, spec: SourceSpec, folder: Path) -> tuple[pd.DataFrame, dict]:
    command = [sys.executable, "-m", "scripts.sources.preferences", "--name", name, "--spec", spec.model_dump_json()]
    done = subprocess.run(
        [*command, "--out", folder / "preferences.parquet", "--card", folder / "preferences.card.json"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return read_table(folder / "preferences.parquet", PREFERENCES), read_json(folder / "preferences.card.json")


def turns(prompt: str, response: str) -> list[dict]:
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]


HH = "\n\nHuman: Why?\n\nAssistant: {}"
FORMATS = {
    "pairs": [
        {"prompt": "Why?", "chosen": "So.", "rejected": "No."},
        {"prompt": "Why?", "chosen": "So.", "rejected": " So. "},
        {"prompt": "Why?", "chosen": "No.", "rejected": "It is."},
    ],
    "ultrafeedback_binarized": [
        {"prompt": "Why?", "chosen": turns("Why?", "So."), "rejected": turns("Why?", "No.")},
        {"prompt": "Why?", "chosen": turns("Why?", "So."), "rejected": turns("What?", "No.")},
        {"prompt": "Why?", "chosen": turns("Why?", "No."), "rejected": turns("Why?", "It is.")},
    ],
    "hh_rlhf": [
        {"chosen": HH.format("So."), "rejected": HH.format("No.")},
        {"chosen": "Why?", "rejected": HH.format("So.")},
        {"chosen": HH.format("No."), "rejected": HH.format("It is.")},
    ],
}
REASONS = {
    "pairs": "chosen_equals_rejected",
    "ultrafeedback_binarized": "prompts_differ",
    "hh_rlhf": "not_a_transcript",
}


@pytest.mark.parametrize("kind", FORMATS)
def test_the_command_reads_every_kind_whose_rows_are_pairs(tmp_path: Path, kind: str) -> None:
    spec = spec_of(kind, lines(tmp_path / "rows.jsonl", FORMATS[kind]))
    table, card = run("src", spec, tmp_path)
    text_of = load("src", spec)[0].responses.set_index("response_id")["response"]
    assert table["row"].tolist() == [0, 2]
    assert [(text_of[row.chosen_id], text_of[row.rejected_id]) for row in table.itertuples()] == [
        ("So.", "No."),
        ("No.", "It is."),
    ]
    assert table[["chosen_score", "rejected_score"]].isna().all(axis=None)
    assert card == {
        "source": "src",
        "kind": kind,
        "path": str(tmp_path / "rows.jsonl"),
        "revision": None,
        "files": ["rows.jsonl"],
        "rows_read": 3,
        "pairs": 2,
        "pairs_with_scores": 0,
        "dropped": {REASONS[kind]: 1},
        "dropped_rows": {REASONS[kind]: [1]},
    }


def test_scores_are_kept_where_a_row_gives_both(tmp_path: Path) -> None:
    row = {"prompt": "Q", "chosen": "good", "rejected": "bad", "score_chosen": 9, "score_rejected": 1.5}
    path = lines(tmp_path / "rows.jsonl", [row, row | {"score_chosen": None}, row | {"score_rejected": "N/A"}])
    table, card = run("src", spec_of("ultrafeedback_binarized", path), tmp_path)
    assert table["chosen_score"].fillna(-1).tolist() == [9.0, -1, -1]
    assert table["rejected_score"].fillna(-1).tolist() == [1.5, -1, -1]
    assert (card["pairs"], card["pairs_with_scores"]) == (3, 1)


def test_parts_change_nothing(tmp_path: Path, monkeypatch) -> None:
    rows = [{"prompt": f"Q{at % 7}", "chosen": f"good {at}", "rejected": f"bad {at % 3}"} for at in range(20)]
    spec = spec_of("pairs", lines(tmp_path / "rows.jsonl", rows))
    card = extract("src", spec, tmp_path / "whole.parquet")
    monkeypatch.setattr(step, "PART", 3)
    assert extract("src", spec, tmp_path / "parts.parquet") == card
    assert (tmp_path / "parts.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


@pytest.mark.parametrize("kind", ["ultrafeedback", "open_assistant", "alpaca_eval", "responses"])
def test_a_source_of_another_kind_is_refused_with_the_kinds_that_have_preferences(tmp_path: Path, kind: str) -> None:
    with pytest.raises(
        InputError, match=rf"source src: .* {kind} .*\n.*pairs, comparisons, ultrafeedback_binarized or hh_rlhf"
    ):
        extract("src", spec_of(kind, tmp_path / "rows.jsonl"), tmp_path / "out.parquet")


def test_rows_of_which_none_is_left_and_rows_of_another_format_are_named(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    equal = lines(tmp_path / "equal.jsonl", [{"prompt": "Q", "chosen": "a", "rejected": "a"}])
    with pytest.raises(InputError, match=r"equal\.jsonl: none of 1 rows .*'chosen_equals_rejected': 1.*\n  remedy: "):
        extract("src", spec_of("pairs", equal), out)
    other = lines(tmp_path / "other.jsonl", [{"prompt": "Q", "chosen": "a"}])
    with pytest.raises(InputError, match=r"other\.jsonl, line 1: no column 'rejected'.*\n  remedy: "):
        extract("src", spec_of("pairs", other), out)
    assert not out.exists()
