"""Properties of merging: the tables follow from the rows, each of which is kept or counted."""

import math
from collections import Counter
from dataclasses import dataclass

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from scripts.lib.ids import normalise, prompt_id, response_id
from scripts.sources import records as module
from scripts.sources.records import Collection, Dropped, Record, Tables, whole

# few texts, so that equal ones are common, some of them only after normalising
texts = st.sampled_from(["a", " a\n", "b", "é", "e\u0301", "a\r\nb", "a\nb", "", " \r"])
turns = (st.lists(texts, min_size=1, max_size=1) | st.lists(texts, max_size=3)).map(
    lambda said: [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(said)]
)
scores = st.dictionaries(
    st.sampled_from(["s", "t"]), st.none() | st.sampled_from([math.nan, math.inf]) | st.floats(-1e6, 1e6)
)
records = st.lists(
    st.builds(Record, turns, texts, st.sampled_from(["", "g", "h", "i"]), scores)
    | st.builds(Dropped, st.sampled_from(["x", "y"]), st.integers(1, 4)),
    max_size=30,
)


@dataclass(frozen=True)
class Collected(Tables):
    counts: dict


def collect(items: list, source: str, split: str, min_responses: int = 1, limit: int | None = None) -> Collected:
    with Collection(source, split, min_responses, limit) as collection:
        collection.add(items)
        tables = whole(collection)
        return Collected(tables.prompts, tables.responses, tables.annotations, collection.counts())


@given(records, st.integers(1, 3), st.none() | st.integers(1, 4))
def test_parts_and_shelves_on_disk_change_nothing(items: list, least: int, limit: int | None) -> None:
    expected = collect(items, "src", "train", least, limit)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SHELF_BYTES", 1)
        patch.setattr(module, "PART_SIZE", 1)
        again = collect(items, "src", "train", least, limit)
    same(expected, again)
    assert again.counts == expected.counts


def same(one: Tables, other: Tables) -> None:
    for name in ("prompts", "responses", "annotations"):
        assert_frame_equal(getattr(one, name), getattr(other, name))


@given(records, st.integers(1, 3), st.none() | st.integers(1, 4))
def test_every_response_read_is_kept_or_counted(items: list, least: int, limit: int | None) -> None:
    tables = collect(items, "src", "train", least, limit)
    read = sum(item.responses if isinstance(item, Dropped) else 1 for item in items)
    assert tables.counts["responses_read"] == read
    assert read == len(tables.responses) + sum(tables.counts["dropped"].values())
    given_scores = Counter(
        "missing" if score is None else "fine" if math.isfinite(score) else "not_finite"
        for item in items
        if isinstance(item, Record)
        for score in item.annotations.values()
    )
    assert all(given_scores[reason] >= count for reason, count in tables.counts["annotations_skipped"].items())
    per_prompt = tables.responses["prompt_id"].value_counts()
    assert set(per_prompt.index) == set(tables.prompts["prompt_id"])
    assert (per_prompt >= least).all()
    assert limit is None or len(tables.prompts) <= limit


@given(records, st.integers(1, 3), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(items: list, least: int, random) -> None:
    shuffled = random.sample(items, len(items))
    one, other = collect(items, "src", "train", least), collect(shuffled, "src", "train", least)
    same(one, other)
    assert one.counts == other.counts


@given(records)
def test_rows_that_come_twice_change_only_the_counts(items: list) -> None:
    once, twice = collect(items, "src", "train"), collect(items * 2, "src", "train")
    same(once, twice)
    extra = Counter(twice.counts["dropped"])
    extra.subtract(once.counts["dropped"])
    again = len(once.responses) + once.counts["dropped"].get("duplicate_response", 0)
    assert extra["duplicate_response"] == again


@given(records)
def test_equal_texts_have_one_id_and_ids_are_of_the_stored_texts(items: list) -> None:
    tables = collect(items, "src", "train")
    prompts = {row.prompt_id: row.prompt for row in tables.prompts.itertuples()}
    assert len({str(prompt) for prompt in prompts.values()}) == len(prompts)
    for its_id, prompt in prompts.items():
        assert its_id == prompt_id(prompt)
        assert all(normalise(turn["content"]) == turn["content"] != "" for turn in prompt)
    assert not tables.responses.duplicated(["prompt_id", "response"]).any()
    for row in tables.responses.itertuples():
        assert row.response_id == response_id(row.prompt_id, row.response)
        assert row.response == normalise(row.response) != ""


@given(records)
def test_content_agrees_with_a_plain_account_of_the_rules(items: list) -> None:
    expected: dict = {}
    for item in items:
        if isinstance(item, Record):
            turns = tuple((turn["role"], normalise(turn["content"])) for turn in item.prompt)
            response = normalise(item.response)
            if response and len(turns) % 2 and all(text for _, text in turns):
                copies = expected.setdefault((turns, response), ([], {}))
                copies[0].append(item.generator or "src")
                for name, score in item.annotations.items():
                    if score is not None and math.isfinite(score):
                        copies[1].setdefault(name, []).append(score)
    tables = collect(items, "src", "train")
    prompts = {row.prompt_id: row.prompt for row in tables.prompts.itertuples()}
    got = {
        (tuple((turn["role"], turn["content"]) for turn in prompts[row.prompt_id]), row.response): row
        for row in tables.responses.itertuples()
    }
    assert got.keys() == expected.keys()
    scores: dict = {}
    for row in tables.annotations.itertuples():
        scores.setdefault(row.response_id, {})[row.annotation] = row.score
    for key, (generators, annotations) in expected.items():
        assert got[key].family == min(generators)
        ours = scores.get(got[key].response_id, {})
        assert ours.keys() == annotations.keys()
        assert all(math.isclose(ours[name], sum(v) / len(v), abs_tol=1e-6) for name, v in annotations.items())


def test_prompts_that_no_template_takes_are_dropped_by_reason() -> None:
    def prompt(*turns: tuple[str, str]) -> list[dict]:
        return [{"role": role, "content": text} for role, text in turns]

    user, answer, system = ("user", "u"), ("assistant", "a"), ("system", "s")
    reasons = {
        "empty_prompt": [prompt(), prompt(system), prompt(("user", " ")), prompt(user, answer, ("user", ""))],
        "turns_do_not_alternate": [
            prompt(answer),
            prompt(user, answer),
            prompt(user, user, user),
            prompt(user, system, user),
            prompt(answer, user),
        ],
    }
    for reason, prompts in reasons.items():
        for each in prompts:
            assert collect([Record(each, "r")], "src", "train").counts["dropped"] == {reason: 1}, each
    for each in (prompt(user), prompt(system, user), prompt(user, answer, user), prompt(system, user, answer, user)):
        assert collect([Record(each, "r")], "src", "train").counts["dropped"] == {}


def test_limit_keeps_the_first_prompts_of_those_fit_to_keep() -> None:
    def record(prompt: str, response: str) -> Record:
        return Record([{"role": "user", "content": prompt}], response)

    rows = [record("few", "x"), record("b", "x"), record("a", "x"), record("c", "x"), record("b", "y")]
    rows += [record("a", "y"), record("c", "y")]
    tables = collect(rows, "src", "train", min_responses=2, limit=2)
    assert sorted(prompt[0]["content"] for prompt in tables.prompts["prompt"]) == ["a", "b"]
    assert tables.counts["dropped"] == {"over_limit": 2, "too_few_responses": 1}
    assert isinstance(tables.annotations, pd.DataFrame) and tables.annotations.empty
