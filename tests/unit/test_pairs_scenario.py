"""Pairs by who wrote them: the four scenarios differ in nothing else."""

import json
import sys
from itertools import product

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.config.pairs import ScenarioPairs
from scripts.lib.errors import InputError
from scripts.lib.schemas import PAIRS, RESPONSES, SCORES
from scripts.lib.tables import read_json, read_table, write_table
from scripts.pairs import scenario
from scripts.pairs.scenario import candidates, pair

SIDES = ("on", "off")
OWN, SOLUTION, WEAKER = "set.own@start", "set.solution", "set.weaker"
GRADE = st.integers(1, 5).map(float)
A_PROMPT = st.fixed_dictionaries(
    {OWN: st.lists(GRADE, max_size=4), SOLUTION: st.lists(GRADE, max_size=1), WEAKER: st.lists(GRADE, max_size=1)}
)


def spec(chosen: str = "on", rejected: str = "on", **changes) -> ScenarioPairs:
    fields = {"prompt_set": "set", "samples": "own", "scorer": "grades", "solutions": "solution", "weaker": "weaker"}
    return ScenarioPairs(kind="scenario", **fields | {"good": 4, "chosen": chosen, "rejected": rejected} | changes)


def scored(prompts: list[dict]) -> pd.DataFrame:
    rows = [
        (f"p{at}", f"{family}-{at}-{number}", family, score)
        for at, prompt in enumerate(prompts)
        for family, scores in prompt.items()
        for number, score in enumerate(scores)
    ]
    return pd.DataFrame(rows, columns=["prompt_id", "response_id", "family", "score"])


def kept(prompt: dict) -> bool:
    """By hand: mixed samples, a good solution, and a weaker answer below it and below the best sample."""
    own, solution, weaker = (prompt[family] for family in (OWN, SOLUTION, WEAKER))
    return bool(
        own
        and solution
        and weaker
        and max(own) >= 4 > min(own)
        and solution[0] >= 4
        and weaker[0] < min(max(own), solution[0])
    )


@given(st.lists(A_PROMPT.filter(lambda prompt: any(prompt.values())), min_size=1, max_size=6))
def test_the_four_have_the_same_prompts_and_the_sides_that_they_say(prompts) -> None:
    table = scored(prompts)
    for chosen, rejected in product(SIDES, SIDES):
        pairs, dropped = pair(candidates(table, spec(chosen, rejected)), spec(chosen, rejected))
        assert pairs["prompt_id"].tolist() == [f"p{at}" for at, each in enumerate(prompts) if kept(each)]
        assert sum(dropped.values()) == table["prompt_id"].nunique() - len(pairs)
        for row in pairs.itertuples():
            prompt = prompts[int(row.prompt_id[1:])]
            ends = {"on": (max(prompt[OWN]), min(prompt[OWN])), "off": (prompt[SOLUTION][0], prompt[WEAKER][0])}
            assert (row.chosen_score, row.rejected_score) == (ends[chosen][0], ends[rejected][1])
            assert row.chosen_score >= 4 and row.chosen_score > row.rejected_score
            assert row.chosen_id.startswith(OWN if chosen == "on" else SOLUTION)
            assert row.rejected_id.startswith(OWN if rejected == "on" else WEAKER)


def test_each_dropped_prompt_has_a_reason() -> None:
    good = {OWN: [5.0, 1.0], SOLUTION: [5.0], WEAKER: [2.0]}
    prompts = [
        good,
        good | {OWN: []},
        good | {OWN: [4.0, 5.0]},
        good | {OWN: [3.0, 1.0]},
        good | {SOLUTION: [3.0]},
        good | {SOLUTION: []},
        good | {WEAKER: [5.0]},
        good | {WEAKER: []},
    ]
    pairs, dropped = pair(candidates(scored(prompts), spec()), spec())
    assert len(pairs) == 1
    assert dropped == {
        "no_sample": 1,
        "samples_all_good": 1,
        "samples_all_bad": 1,
        "solution_not_good": 2,
        "weaker_answer_not_below": 2,
    }


def write(folder, table: pd.DataFrame) -> list[str]:
    """The responses of the prompt set, those of the samples, and their scores by family."""
    rows = table.assign(response=table["response_id"], finished=True)
    own = rows["family"] == OWN
    for name, part in (("set", rows[~own]), ("own", rows[own])):
        write_table(part[list(RESPONSES.columns)], folder / f"{name}.parquet", RESPONSES)
    for family, part in table.groupby("family"):
        write_table(part[list(SCORES.columns)], folder / f"{family}.parquet", SCORES)
    files = [folder / f"{family}.parquet" for family in sorted(set(table["family"]))]
    return ["--responses", folder / "set.parquet", folder / "own.parquet", "--scores", *files]


def run(folder, monkeypatch, table: pd.DataFrame) -> None:
    out = ["--out", folder / "pairs.parquet", "--card", folder / "pairs.card.json"]
    flags = ["--spec", spec("off").model_dump_json(), *write(folder, table), *out]
    monkeypatch.setattr(sys, "argv", ["scenario", *map(str, flags)])
    scenario.main()


def test_the_step_writes_pairs_and_counts(tmp_path, monkeypatch) -> None:
    table = scored(
        [{OWN: [5.0, 1.0, 3.0], SOLUTION: [5.0], WEAKER: [2.0]}, {OWN: [5.0], SOLUTION: [5.0], WEAKER: [1.0]}]
    )
    run(tmp_path, monkeypatch, table)
    (row,) = read_table(tmp_path / "pairs.parquet", PAIRS).itertuples()
    assert (row.chosen_id, row.rejected_id) == (f"{SOLUTION}-0-0", f"{OWN}-0-1")
    card = read_json(tmp_path / "pairs.card.json")
    assert card["pairs"] == 1 and card["dropped"]["samples_all_good"] == 1
    assert card["dropped"]["response_without_score"] == 0 and json.dumps(card)


def test_no_pair_at_all_is_refused(tmp_path, monkeypatch) -> None:
    with pytest.raises(InputError, match="no prompt gives a pair"):
        run(tmp_path, monkeypatch, scored([{OWN: [1.0], SOLUTION: [5.0], WEAKER: [1.0]}]))
