"""The grid on language models: its rows, its table, and its claims from planted rewards."""

import numpy as np
import pandas as pd
import pytest

from scripts.lib.results import evaluation, write_evaluation
from studies.mode_seeking.config import Language
from studies.mode_seeking.figures import language as drawn
from studies.mode_seeking.language_claims import claims
from studies.mode_seeking.layout import measured, rows
from studies.mode_seeking.tables.language import COLUMNS, table
from tests.studies.mode_seeking.test_bandit import SMALL

METHODS = {"sft": ["data"], "best_of_n": ["fixed", "own"], "dpo": ["data", "fixed", "own"], "ppo": ["own"]}
LANGUAGE = Language(
    policy="base",
    seeds=[0, 1, 2],
    rewards=[
        {"name": name, "pairs": f"{name}_pairs", "true_suite": name, "proxy_suite": f"{name}_proxy"}
        for name in ("far", "near")
    ],
    methods=METHODS,
)
NEGATIVE = {
    f"{method}_{source}" + ("" if source == "data" else f"_{reward}"): method in ("dpo", "ppo")
    for method, sources in METHODS.items()
    for source in sources
    for reward in ("far", "near")
}
QUESTIONS = 60


@pytest.fixture(scope="module")
def of_rows():
    return rows(LANGUAGE, NEGATIVE)


def write(folder, of_rows, own, negative, seed_sd=0.3) -> None:
    """Evaluations: the start has -100 points; own samples and a negative gradient add to it, questions differ."""
    noise = np.random.default_rng(0)
    of_question = noise.normal(0, 20, QUESTIONS)

    def put(run: str, suite: str, mean: float) -> None:
        values = mean + noise.normal(0, seed_sd) + of_question + noise.normal(0, 3, QUESTIONS)
        record = evaluation(run, suite, "mean_score", values.tolist(), {}, {})
        write_evaluation(record, folder / run / f"{suite}.json")

    for reward in LANGUAGE.rewards:
        put("base", reward.true_suite, -100)
        put("base", reward.proxy_suite, 0)
    for row in of_rows:
        gain = own[row.reward] * (row.source == "own") + negative * row.negative
        for run in row.runs:
            put(run, row.reward, -90 + gain)
            put(run, f"{row.reward}_proxy", 10 + 2 * gain)


def test_rows_are_every_method_and_source_of_every_reward(of_rows) -> None:
    assert [(row.method, row.source, row.negative) for row in of_rows[:7]] == [
        ("sft", "data", False),
        ("best_of_n", "fixed", False),
        ("best_of_n", "own", False),
        ("dpo", "data", True),
        ("dpo", "fixed", True),
        ("dpo", "own", True),
        ("ppo", "own", True),
    ]
    assert of_rows[0].runs == tuple(f"base.far_pairs.sft_data.s{seed}" for seed in range(3))
    assert of_rows[-1].runs[0] == "base.near_pairs.ppo_own_near.s0"
    assert len({run for row in of_rows for run in row.runs}) == 2 * 7 * 3


def test_every_run_is_measured_by_both_suites_of_its_reward_and_the_start_by_all(of_rows) -> None:
    from studies.mode_seeking.config import Config

    asked = measured(Config(bandit=SMALL, language=LANGUAGE), NEGATIVE)
    assert len(asked) == len(set(asked)) == 4 + 2 * len([run for row in of_rows for run in row.runs])
    assert ("base", "near_proxy") in asked and ("base.far_pairs.dpo_data.s1", "far") in asked
    assert ("base.far_pairs.dpo_data.s1", "near") not in asked
    assert measured(Config(bandit=SMALL), {}) == []


def test_the_table_has_both_rewards_of_every_row_after_that_of_the_start(of_rows, tmp_path) -> None:
    write(tmp_path, of_rows, {"far": 30, "near": 10}, 20)
    found = pd.DataFrame(table(LANGUAGE, of_rows, tmp_path))[COLUMNS]
    assert len(found) == 2 * (1 + 7)
    start, best = found.iloc[0], found[(found["method"] == "PPO") & (found["reward"] == "far")].iloc[0]
    assert start["method"] == "start" and start["true"] == pytest.approx(-100, abs=9)
    assert best["true"] - start["true"] == pytest.approx(60, abs=2)
    assert best["proxy"] - start["proxy"] == pytest.approx(110, abs=2)
    assert best["negative_gradient"] == "yes" and best["samples_from"] == "policy, every step"
    assert found["true_se"].between(1, 6).all()
    assert len(drawn.figure(found).axes) == 4


def test_claims_find_what_is_planted(of_rows, tmp_path) -> None:
    write(tmp_path, of_rows, {"far": 30, "near": 15}, 20)
    found = {each.claim: each for each in claims(LANGUAGE, of_rows, tmp_path)}
    expected = {
        "language_on_policy.far": 30,
        "language_far": 15,
        "language_negative.near": 20,
        "language_complementary.far_likelihood": 20,
        "language_complementary.near_fixed": 15,
    }
    for name, value in expected.items():
        assert found[name].measured == pytest.approx(value, abs=1.5)
        assert found[name].verdict == "holds" and "for this draw" in found[name].finding
    assert {each.verdict for each in found.values()} == {"holds"}


def test_claims_fail_below_the_minimum_and_need_methods_to_speak_of(of_rows, tmp_path) -> None:
    write(tmp_path, of_rows, {"far": 0, "near": 0}, 0)
    assert {each.verdict for each in claims(LANGUAGE, of_rows, tmp_path) if "." not in each.claim} == {"fails"}
    own = LANGUAGE.model_copy(update={"methods": {"dpo": ["own"], "ppo": ["own"]}})
    assert claims(own, rows(own, NEGATIVE), tmp_path) == []
