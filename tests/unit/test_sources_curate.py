"""Prompt sets: filters, families, accounting, and independence of the order of rows."""

import itertools
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from pydantic import ValidationError

from scripts.lib.config.sources import PromptSetSpec
from scripts.lib.errors import InputError
from scripts.lib.families import families, family_of, slug
from scripts.lib.ids import prompt_id, response_id
from scripts.lib.schemas import ANNOTATIONS, PROMPTS, RESPONSES
from scripts.lib.tables import read_json, read_table, write_table
from scripts.sources import curate as module

TABLES = {"prompts": PROMPTS, "responses": RESPONSES, "annotations": ANNOTATIONS}


@dataclass(frozen=True)
class Source:
    name: str
    prompts: pd.DataFrame
    responses: pd.DataFrame
    annotations: pd.DataFrame

    def stored(self, folder: Path) -> module.Stored:
        found = module.Stored(self.name, *(folder / self.name / f"{table}.parquet" for table in TABLES))
        for table, schema in TABLES.items():
            write_table(getattr(self, table), getattr(found, table), schema)
        return found


@dataclass(frozen=True)
class PromptSet:
    prompts: pd.DataFrame
    responses: pd.DataFrame
    annotations: pd.DataFrame
    card: dict


def curate(name: str, spec: PromptSetSpec, sources: list[Source], suites: list) -> PromptSet:
    """Through files, as in the step."""
    with TemporaryDirectory() as folder:
        out = module.Stored(name, *(Path(folder) / f"{table}.parquet" for table in TABLES))
        card = module.curate(name, spec, [each.stored(Path(folder)) for each in sources], suites, out)
        return PromptSet(*(read_table(getattr(out, table), schema) for table, schema in TABLES.items()), card)


Rows = list[tuple[str, str, str, float]]
"""(prompt, response, generator, score)"""


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def source(name: str, rows: Rows) -> Source:
    prompts, responses, annotations = {}, {}, {}
    for prompt, response, generator, score in rows:
        its_id = prompt_id(user(prompt))
        key = response_id(its_id, response)
        prompts.setdefault(its_id, (its_id, user(prompt), name, "train"))
        responses.setdefault(key, (key, its_id, generator, response))
        annotations.setdefault(key, (key, "score", score))
    return Source(
        name,
        pd.DataFrame(prompts.values(), columns=list(PROMPTS.columns)),
        pd.DataFrame(responses.values(), columns=RESPONSES.required),
        pd.DataFrame(annotations.values(), columns=list(ANNOTATIONS.columns)),
    )


def suite(*texts: str) -> pd.DataFrame:
    rows = [(prompt_id(user(text)), user(text), "suite", "test") for text in texts]
    return pd.DataFrame(rows, columns=list(PROMPTS.columns))


def content(made: PromptSet) -> dict[str, dict[str, str]]:
    """{prompt: {response: family}}"""
    texts = {row.prompt_id: row.prompt[0]["content"] for row in made.prompts.itertuples()}
    found: dict = {text: {} for text in texts.values()}
    for row in made.responses.itertuples():
        found[texts[row.prompt_id]][row.response] = row.family
    return found


def check_account(made: PromptSet) -> None:
    card = made.card
    assert card["prompts_read"] == len(made.prompts) + sum(card["dropped"]["prompts"].values())
    assert card["responses_read"] == len(made.responses) + sum(card["dropped"]["responses"].values())
    assert sum(each["responses"] for each in card["families"].values()) == len(made.responses)
    assert sum(int(n) * count for n, count in card["responses_per_prompt"].items()) == len(made.responses)


ONE = source("one", [("p", "x", "a", 1.0), ("p", "y", "b", 2.0), ("q", "x", "a", 3.0), ("r", "z", "c", 4.0)])
TWO = source("two", [("p", "x", "b", 9.0), ("p", "w", "d", 8.0), ("q", "v", "d", 7.0), ("s", "u", "d", 6.0)])


def test_sources_are_merged_and_the_first_keeps_what_both_have() -> None:
    made = curate("ps", PromptSetSpec(sources=["one", "two"]), [ONE, TWO], [])
    assert content(made) == {
        "p": {"x": "ps", "y": "ps", "w": "ps"},
        "q": {"x": "ps", "v": "ps"},
        "r": {"z": "ps"},
        "s": {"u": "ps"},
    }
    assert made.card["sources"] == {"one": 3, "two": 1}
    assert made.card["dropped"] == {"prompts": {"in_an_earlier_source": 2}, "responses": {"in_an_earlier_source": 1}}
    assert made.card["generators"] == {"a": 2, "b": 1, "c": 1, "d": 3}
    of_x = response_id(prompt_id(user("p")), "x")
    assert made.annotations.set_index("response_id").loc[of_x, "score"] == 1.0
    check_account(made)


def test_generators_become_families_and_others_go_before_sources_are_merged() -> None:
    spec = PromptSetSpec(sources=["one", "two"], generators=["b", "d"], min_responses=2)
    made = curate("ps", spec, [ONE, TWO], [])
    assert content(made) == {"p": {"x": "ps.b", "y": "ps.b", "w": "ps.d"}}
    assert made.card["families"] == {"ps.b": {"prompts": 1, "responses": 2}, "ps.d": {"prompts": 1, "responses": 1}}
    assert made.card["dropped"]["responses"] == {"other_generator": 3, "too_few_responses": 2}
    check_account(made)
    with pytest.raises(InputError, match=r"no response by e[\s\S]*choose generators from a, b, c, d"):
        curate("ps", PromptSetSpec(sources=["one", "two"], generators=["a", "e"]), [ONE, TWO], [])


def test_prompts_in_keeps_what_stands_in_all_of_them() -> None:
    spec = PromptSetSpec(sources=["one", "two"], prompts_in=["one", "two"])
    made = curate("ps", spec, [ONE, TWO], [])
    assert sorted(content(made)) == ["p", "q"]
    assert made.card["dropped"]["prompts"]["not_in_all_of_prompts_in"] == 2
    assert sorted(content(curate("ps", PromptSetSpec(sources=["one", "two"], prompts_in=["two"]), [ONE, TWO], []))) == [
        "p",
        "q",
        "s",
    ]


def test_evaluations_and_near_duplicates_are_kept_out() -> None:
    texts = ["reverse : a b", "Reverse : a b", "reverse : b a", "what is 2 + 3 ?", "WHAT is 2 + 3 ?", "copy : d"]
    rows = [(text, response, "g", 0.0) for text in texts for response in ("x", "y")]
    suites = [("quiz", suite("what is 2 + 3 ?")), ("other", suite("copy : d", "what is 2 + 3 ?"))]
    spec = PromptSetSpec(sources=["s"], unseen_by=["quiz", "other"])
    made = curate("ps", spec, [source("s", rows)], suites)
    assert sorted(content(made)) == sorted({*texts} - {"what is 2 + 3 ?", "copy : d"})

    made = curate("ps", spec.model_copy(update={"near_duplicates": 0.9}), [source("s", rows)], suites)
    first = min("reverse : a b", "Reverse : a b", key=lambda text: prompt_id(user(text)))
    assert sorted(content(made)) == sorted([first, "reverse : b a"])
    assert made.card["dropped"]["prompts"] == {"in_an_evaluation": 2, "near_duplicate": 1, "nearly_in_an_evaluation": 1}
    assert made.card["dropped"]["responses"] == {
        "in_an_evaluation": 4,
        "near_duplicate": 2,
        "nearly_in_an_evaluation": 2,
    }
    assert made.card["found_in"] == {"quiz": {"exactly": 1, "nearly": 1}, "other": {"exactly": 1, "nearly": 0}}
    check_account(made)


def test_a_near_duplicate_gives_way_to_the_earlier_source_unless_that_prompt_goes_itself() -> None:
    one = source("one", [("copy : a", "x", "g", 0.0), ("sort : a", "x", "g", 0.0), ("sort : a", "y", "g", 0.0)])
    two = source("two", [(text, answer, "g", 0.0) for text in ("COPY : a", "SORT : a") for answer in "xy"])
    spec = PromptSetSpec(sources=["one", "two"], near_duplicates=0.9, min_responses=2)
    assert sorted(content(curate("ps", spec, [one, two], []))) == ["COPY : a", "sort : a"]
    turned = spec.model_copy(update={"sources": ["two", "one"]})
    assert sorted(content(curate("ps", turned, [two, one], []))) == ["COPY : a", "SORT : a"]


rows_of = st.lists(
    st.tuples(
        st.sampled_from(["a b", "A b", "b a", "c", "d e f"]),
        st.sampled_from("xyz"),
        st.sampled_from("gh"),
        st.just(0.0),
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=25)
@given(rows_of, rows_of, st.integers(1, 2), st.none() | st.integers(1, 3), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing_and_all_is_accounted_for(one, two, least, limit, random) -> None:
    sources = [source("one", one), source("two", two)]
    spec = PromptSetSpec(sources=["one", "two"], min_responses=least, near_duplicates=0.9, limit=limit)
    try:
        made = curate("ps", spec, sources, [("suite", suite("c"))])
    except InputError as error:
        assert "no prompt is left" in str(error)
        return
    check_account(made)
    shuffled = [
        Source(
            each.name,
            *(
                table.sample(frac=1.0, random_state=random.randrange(2**31))
                for table in (each.prompts, each.responses, each.annotations)
            ),
        )
        for each in sources
    ]
    again = curate("ps", spec, shuffled, [("suite", suite("c"))])
    assert again.card == made.card
    for name in ("prompts", "responses", "annotations"):
        assert_frame_equal(getattr(again, name), getattr(made, name))
    # what is already curated stays unchanged
    family = made.responses.assign(family="g")
    kept = Source("one", made.prompts.assign(source="one"), family, made.annotations)
    once_more = curate("ps", spec.model_copy(update={"sources": ["one"]}), [kept], [("suite", suite("c"))])
    assert once_more.prompts["prompt_id"].tolist() == made.prompts["prompt_id"].tolist()


def test_a_larger_limit_keeps_what_a_smaller_one_keeps() -> None:
    rows = [(f"prompt {n}", "x", "g", 0.0) for n in range(50)]
    kept = []
    for limit in (1, 10, 49, 50, 60):
        made = curate("ps", PromptSetSpec(sources=["s"], limit=limit), [source("s", rows)], [])
        assert len(made.prompts) == min(limit, 50)
        kept.append(set(made.prompts["prompt_id"]))
    assert all(less <= more for less, more in itertools.pairwise(kept))


def test_nothing_left_says_why() -> None:
    with pytest.raises(InputError, match=r"prompt set ps: no prompt is left.*too_few_responses': 3"):
        curate("ps", PromptSetSpec(sources=["one"], min_responses=9), [ONE], [])


def test_specs_that_cannot_be_are_refused() -> None:
    for mistake, message in [
        ({"sources": ["one", "one"]}, "names one twice"),
        ({"sources": ["one"], "prompts_in": ["two"]}, "prompts_in names two"),
        ({"sources": ["one"], "generators": ["gpt 4", "gpt/4"]}, "would be one family"),
        ({"sources": ["one"], "generators": ["漢字"]}, "no letter or digit"),
        ({"sources": ["one"], "near_duplicates": 0.0}, "greater than 0"),
    ]:
        with pytest.raises(ValidationError, match=message):
            PromptSetSpec.model_validate(mistake)


def test_family_names_are_fit_for_paths() -> None:
    assert slug("meta-llama/Llama-3.1 8B (it)") == "meta-llama_Llama-3_1_8B_it"
    assert families("ps", []) == ["ps"]
    assert families("ps", ["b", "a.c"]) == ["ps.b", "ps.a_c"] == [family_of("ps", "b"), family_of("ps", "a.c")]


@given(st.text(max_size=30))
def test_slugs_are_stable_names_or_refused(text: str) -> None:
    try:
        name = slug(text)
    except InputError:
        assert not any(letter.isascii() and letter.isalnum() for letter in text)
    else:
        assert (
            slug(name) == name
            and name[0].isalnum()
            and set(name) <= set("-_") | {c for c in name if c.isalnum() and c.isascii()}
        )


def step(folder: Path, spec: dict, sources: list[Source], unseen: list[Path]) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "scripts.sources.curate", "--name", "ps", "--spec", json.dumps(spec)]
    stored = [each.stored(folder) for each in sources]
    for table in TABLES:
        command += [f"--{table}", *(str(getattr(each, table)) for each in stored)]
    command += ["--unseen", *map(str, unseen)]
    for table in TABLES:
        command += [f"--out-{table}", str(folder / f"{table}.parquet")]
    command += ["--card", str(folder / "card.json")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_step_reads_sources_and_suites_and_writes_a_prompt_set(tmp_path: Path) -> None:
    spec = {"sources": ["one", "two"], "near_duplicates": 0.9}
    assert step(tmp_path, spec, [ONE, TWO], []).returncode == 0
    assert len(read_table(tmp_path / "prompts.parquet", PROMPTS)) == 4

    write_table(suite("q"), tmp_path / "quiz.parquet", PROMPTS)
    done = step(tmp_path, spec | {"unseen_by": ["quiz"]}, [ONE, TWO], [tmp_path / "quiz.parquet"])
    assert done.returncode == 0, done.stderr
    assert len(read_table(tmp_path / "prompts.parquet", PROMPTS)) == 3
    assert len(read_table(tmp_path / "responses.parquet", RESPONSES)) == len(
        read_table(tmp_path / "annotations.parquet", ANNOTATIONS)
    )
    assert read_json(tmp_path / "card.json")["found_in"] == {"quiz": {"exactly": 1, "nearly": 0}}

    done = step(tmp_path, spec | {"unseen_by": ["quiz"]}, [ONE, TWO], [])
    assert done.returncode == 1 and done.stderr.startswith("error: --unseen: 0 files for 1 unseen_by")
