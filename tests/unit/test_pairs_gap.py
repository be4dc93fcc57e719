"""Gap pairs, counterfactuals and mixtures: targets reached, bounds kept, Algorithm 1 line by line."""

import itertools
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scripts.lib.errors import InputError
from scripts.lib.schemas import PAIRS, RESPONSES, SCORES
from scripts.lib.tables import read_json, read_table, write_table
from scripts.pairs.counterfactual import cross
from scripts.pairs.gap import candidates, select, solve, within
from scripts.pairs.mix import CHOSEN, REJECTED, best_of, mix


def scored(prompts: int, responses: int, seed: int) -> pd.DataFrame:
    """Scores whose prompts differ in level and whose responses differ in quality."""
    draw = np.random.default_rng(seed)
    scores = draw.normal(0, 1, (prompts, 1)) + draw.normal(0, 2, (prompts, responses))
    return pd.DataFrame(
        {
            "prompt_id": [f"p{p:04d}" for p in range(prompts) for _ in range(responses)],
            "response_id": [f"r{p:04d}-{r}" for p in range(prompts) for r in range(responses)],
            "score": scores.ravel(),
        }
    )


def means(pairs: pd.DataFrame) -> tuple[float, float]:
    return pairs["chosen_score"].mean(), (pairs["chosen_score"] - pairs["rejected_score"]).mean()


def test_candidates_are_all_ordered_pairs_of_unequal_scores() -> None:
    table = scored(3, 4, 0)
    table.loc[1, "score"] = table.loc[0, "score"]
    expected = {
        (a.prompt_id, a.response_id, b.response_id)
        for a, b in itertools.permutations(table.itertuples(), 2)
        if a.prompt_id == b.prompt_id and a.score > b.score
    }
    found = candidates(table)
    assert set(found[["prompt_id", "chosen_id", "rejected_id"]].itertuples(index=False, name=None)) == expected
    assert (found["chosen_score"] > found["rejected_score"]).all()


@settings(max_examples=30)
@given(st.integers(0, 1000), st.floats(0, 1), st.floats(0, 1))
def test_targets_inside_what_the_data_can_reach_are_reached(seed: int, aim_chosen: float, aim_gap: float) -> None:
    pool = candidates(scored(300, 4, seed))
    # Means of random selections are in the reachable set; so are points between them.
    draw = np.random.default_rng(seed)
    ends = [
        means(pool.sample(frac=1, random_state=draw.integers(2**31)).drop_duplicates("prompt_id")) for _ in range(3)
    ]
    chosen, gap = (
        ends[0][side] + aim_chosen * (ends[1][side] - ends[0][side]) / 2 + aim_gap * (ends[2][side] - ends[0][side]) / 2
        for side in (0, 1)
    )
    reached = means(select(pool, chosen, gap, 0.05))
    assert reached == pytest.approx((chosen, gap), abs=0.05)


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_of_all_selections_with_its_means_it_is_the_nearest_to_the_targets(seed: int) -> None:
    """Brute force over all selections of four prompts: none reaches the same means at a lower cost."""
    pool = candidates(scored(4, 3, seed))
    target = (0.5, 2.0)
    taken = select(pool, *target, 1e-6)

    def cost(pairs: pd.DataFrame) -> float:
        gap = pairs["chosen_score"] - pairs["rejected_score"]
        return ((pairs["chosen_score"] - target[0]) ** 2 + (gap - target[1]) ** 2).sum()

    ours, reached = cost(taken), means(taken)
    groups = [group.index for _, group in pool.groupby("prompt_id")]
    for rows in itertools.product(*groups):
        other = pool.loc[list(rows)]
        assert not (np.allclose(means(other), reached, atol=1e-9) and cost(other) < ours - 1e-9)


@pytest.mark.parametrize("target", [(30.0, 1.0), (0.0, 40.0), (-30.0, 1.0)])
def test_targets_out_of_reach_end_near_and_soon(target: tuple[float, float]) -> None:
    pool = candidates(scored(200, 4, 1))
    chosen, gap = means(select(pool, *target, 0.05))
    assert abs(chosen - target[0]) > 0.05 or abs(gap - target[1]) > 0.05


@given(st.lists(st.integers(-500, 500).map(lambda n: n / 100), min_size=1, max_size=20), st.floats(-6, 6))
def test_solve_finds_where_a_step_function_crosses_zero(steps: list[float], start: float) -> None:
    steps = sorted(steps)

    def function(at: float) -> float:
        return sum(each <= at for each in steps) - len(steps) / 2

    found = solve(function, start, 1.0, 1e-9)
    best = min(abs(function(each)) for each in [*steps, steps[0] - 1])
    assert abs(function(found)) == pytest.approx(best)


@settings(max_examples=25)
@given(st.integers(0, 1000))
def test_bounds_make_every_counterfactual_possible(seed: int) -> None:
    pool = candidates(scored(60, 4, seed))
    small = select(pool, 0.3, 1.0, 0.1)
    large = select(within(pool, small, None), 1.0, 2.5, 0.1)
    low = select(within(pool, None, small), -0.8, 1.0, 0.1)
    for chosen, rejected in ((large, small), (small, low)):
        pairs = cross(chosen, rejected, "here")
        assert list(pairs["chosen_id"]) == list(chosen["chosen_id"]) and len(pairs) == pool["prompt_id"].nunique()
        assert (pairs["chosen_score"] > pairs["rejected_score"]).all()
        of = rejected.set_index("prompt_id")["rejected_id"]
        assert list(pairs["rejected_id"]) == list(pairs["prompt_id"].map(of))


def test_a_counterfactual_that_would_lose_rows_is_refused() -> None:
    pool = candidates(scored(20, 3, 0))
    low, high = select(pool, -2.0, 1.0, 0.1), select(pool, 2.0, 0.5, 0.1)
    with pytest.raises(InputError, match="chosen_above"):
        cross(low, high, "here")
    with pytest.raises(InputError, match=r"\d+ prompts, such as p0019"):
        cross(high, low[low["prompt_id"] != "p0019"], "here")


def offline(prompts: int, seed: int) -> pd.DataFrame:
    pool = candidates(scored(prompts, 3, seed)).drop_duplicates("prompt_id", ignore_index=True)
    return pool.assign(origin="offline")


def sampled(pairs: pd.DataFrame, seed: int, of_prompt: int = 3) -> pd.DataFrame:
    """Samples per prompt whose scores often equal those of the chosen response."""
    draw = np.random.default_rng(seed)
    rows = [
        (prompt, f"s{prompt}-{at}", score + draw.integers(-1, 2))
        for prompt, score in zip(pairs["prompt_id"], pairs["chosen_score"], strict=True)
        for at in range(draw.integers(0, of_prompt + 1))
    ]
    return pd.DataFrame(rows, columns=["prompt_id", "response_id", "score"])


@given(st.integers(0, 500), st.integers(1, 30), st.floats(0, 0.5))
def test_a_mixture_is_algorithm_1(seed: int, prompts: int, ratio: float) -> None:
    pairs = offline(prompts, seed)
    samples = sampled(pairs, seed)
    try:
        mixed, counts = mix(pairs, samples, ratio, seed)
    except InputError:
        usable = pairs.merge(best_of(samples), on="prompt_id")
        assert (usable["score"] != usable["chosen_score"]).sum() < math.floor(ratio * prompts + 1e-9)
        return
    assert list(mixed["prompt_id"]) == list(pairs["prompt_id"])
    replaced = 0
    for before, after in zip(pairs.itertuples(), mixed.itertuples(), strict=True):
        own = samples[samples["prompt_id"] == before.prompt_id]
        if after.origin == "offline":
            assert before == after
            continue
        replaced += 1
        best = own["score"].max()
        sample, chosen = (
            ((after.chosen_id, after.chosen_score), (after.rejected_id, after.rejected_score))
            if after.origin == CHOSEN
            else ((after.rejected_id, after.rejected_score), (after.chosen_id, after.chosen_score))
        )
        assert (best > before.chosen_score) == (after.origin == CHOSEN) == (after.origin != REJECTED)
        assert sample[1] == best and sample[0] in set(own.loc[own["score"] == best, "response_id"])
        assert chosen == (before.chosen_id, before.chosen_score)
        assert after.chosen_score > after.rejected_score
    assert replaced == math.floor(ratio * prompts + 1e-9) == counts["replaced_chosen"] + counts["replaced_rejected"]


@given(st.integers(0, 100), st.floats(0, 0.4), st.floats(0, 0.4))
def test_a_larger_ratio_replaces_the_same_prompts_and_more(seed: int, one: float, other: float) -> None:
    pairs = offline(40, seed)
    samples = sampled(pairs, seed, of_prompt=6)
    assume(len(pairs.merge(best_of(samples), on="prompt_id").query("score != chosen_score")) >= 16)
    few, many = (mix(pairs, samples, ratio, 7)[0] for ratio in sorted((one, other)))
    changed = [set(mixed.loc[mixed["origin"] != "offline", "prompt_id"]) for mixed in (few, many)]
    assert changed[0] <= changed[1]


def test_too_few_samples_are_refused_with_counts() -> None:
    pairs = offline(10, 0)
    with pytest.raises(InputError, match="5 of 10 pairs are to be replaced, and 0 prompts"):
        mix(pairs, sampled(pairs, 0).iloc[:0], 0.5, 0)


def run_step(step: str, *arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", f"scripts.pairs.{step}", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    table = scored(50, 4, 3)
    responses = table[["response_id", "prompt_id"]].assign(family="f", response="text")
    write_table(responses, tmp_path / "responses.parquet", RESPONSES)
    write_table(table[["response_id", "score"]], tmp_path / "scores.parquet", SCORES)
    return tmp_path


def test_the_steps_write_tables_and_cards_that_say_what_was_reached(tables: Path) -> None:
    spec = '{"kind": "gap", "prompt_set": "p", "scorer": "s", "mean_chosen": 1.0, "mean_gap": 2.0, "tolerance": 0.1}'
    given = ["--responses", tables / "responses.parquet", "--scores", tables / "scores.parquet"]
    out = ["--out", tables / "a.parquet", "--card", tables / "a.card.json"]
    done = run_step("gap", "--spec", spec, *given, *out)
    assert done.returncode == 0, done.stderr
    pairs, card = read_table(tables / "a.parquet", PAIRS), read_json(tables / "a.card.json")
    assert card["pairs"] == len(pairs) == 50 and sum(card["dropped"].values()) == 0
    assert means(pairs) == pytest.approx((1.0, 2.0), abs=0.1)
    assert (card["reached"]["mean_chosen"], card["reached"]["mean_gap"]) == pytest.approx(means(pairs))
    assert card["gap"]["50%"] == pytest.approx((pairs["chosen_score"] - pairs["rejected_score"]).median())

    done = run_step("gap", "--spec", spec.replace('"mean_gap": 2.0', '"mean_gap": 20'), *given, *out)
    assert done.returncode and "mean_gap 20 cannot be reached" in done.stderr and "remedy" in done.stderr

    crossed = '{"kind": "counterfactual", "chosen_of": "a", "rejected_of": "a"}'
    files = ["--chosen-of", tables / "a.parquet", "--rejected-of", tables / "a.parquet"]
    done = run_step(
        "counterfactual", "--spec", crossed, *files, "--out", tables / "b.parquet", "--card", tables / "b.json"
    )
    assert done.returncode == 0, done.stderr
    assert read_json(tables / "b.json")["reached"] == card["reached"]

    mixture = '{"kind": "mixture", "base": "a", "samples": "s", "ratio": 0.2}'
    files = ["--pairs", tables / "a.parquet", "--samples", given[1], "--scores", given[3]]
    done = run_step("mix", "--spec", mixture, *files, "--out", tables / "c.parquet", "--card", tables / "c.json")
    assert done.returncode == 0, done.stderr
    card = read_json(tables / "c.json")
    assert card["replaced_chosen"] + card["replaced_rejected"] == 10 and card["pairs"] == 50
