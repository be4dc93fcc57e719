"""The suites that need no judge: the mean score of samples, and the order of held-out pairs by log-probs."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from scripts.evaluation import preference, prompts, reward
from scripts.evaluation.preference import accuracies, differences
from scripts.evaluation.reward import points
from scripts.lib.config.evaluation import PreferenceSuite, RewardSuite
from scripts.lib.errors import InputError
from scripts.lib.ids import prompt_id, response_id
from scripts.lib.results import read_evaluation
from scripts.lib.schemas import LOGPROBS, PAIRS, PROMPTS, SAMPLES
from scripts.lib.tables import write_table
from scripts.lib.world.oracle import reward as true_reward
from scripts.lib.world.skills import make_prompts

REWARD = {"kind": "reward", "scorer": "oracle", "data": "world"}


def prompt_rows(texts: list[str]) -> pd.DataFrame:
    asked = [[{"role": "user", "content": text}] for text in texts]
    return pd.DataFrame({"prompt_id": [prompt_id(p) for p in asked], "prompt": asked, "source": "s", "split": "test"})


def sample_rows(ids: list[str], responses: list[list[str]]) -> pd.DataFrame:
    rows = [
        (response_id(of, text), of, "p", text, True, 0, number)
        for of, texts in zip(ids, responses, strict=True)
        for number, text in enumerate(texts)
    ]
    return pd.DataFrame(rows, columns=list(SAMPLES.columns))


def test_a_reward_suite_has_prompts_from_one_place() -> None:
    for more in ({"samples_of": "lc_ae2"}, {"data": None}):
        with pytest.raises(ValidationError, match="either samples_of"):
            RewardSuite.model_validate(REWARD | more)
    assert RewardSuite.model_validate(REWARD | {"data": None, "samples_of": "lc_ae2"}).samples_of == "lc_ae2"


def test_points_are_those_of_the_prompts_in_their_order(tmp_path) -> None:
    asked = prompt_rows(["b", "a"])
    samples = (
        sample_rows(asked["prompt_id"].tolist(), [["x", "y"], ["z", "z"]]).iloc[[3, 0, 2, 1]].reset_index(drop=True)
    )
    scores = {"x": 1.0, "y": 0.5, "z": -0.05}
    assert points(asked, samples, samples["response"].map(scores).tolist(), tmp_path) == pytest.approx([75.0, -5.0])
    with pytest.raises(InputError, match="no score for 1 of 4"):
        points(asked, samples, [1.0, None, 0.0, 0.0], tmp_path)
    with pytest.raises(InputError, match="other prompts"):
        points(asked, samples.iloc[1:2], [1.0], tmp_path)


def test_the_step_scores_by_the_oracle(tmp_path, monkeypatch) -> None:
    texts = list(make_prompts(4, 5))
    asked = prompt_rows(texts)
    samples = sample_rows(asked["prompt_id"].tolist(), [["hello"], [""], ["3"], ["the answer is 4 ."]])
    write_table(asked, tmp_path / "prompts.parquet", PROMPTS)
    write_table(samples, tmp_path / "samples.parquet", SAMPLES)
    flags = ["--name", "p", "--suite", "true_reward", "--spec", json.dumps(REWARD), "--scorer", '{"kind": "oracle"}']
    files = ["--prompts", tmp_path / "prompts.parquet", "--samples", tmp_path / "samples.parquet"]
    monkeypatch.setattr(sys, "argv", ["reward", *flags, *map(str, files), "--out", str(tmp_path / "out.json")])
    reward.main()
    record = read_evaluation(tmp_path / "out.json")
    rewards = [true_reward(*each) for each in zip(texts, samples["response"], strict=True)]
    assert record.values == pytest.approx([100 * each for each in rewards])
    assert record.metric == "mean_score"
    flags[flags.index(json.dumps(REWARD))] = json.dumps(REWARD | {"at_least": rewards[3]})
    monkeypatch.setattr(sys, "argv", ["reward", *flags, *map(str, files), "--out", str(tmp_path / "out.json")])
    reward.main()
    record = read_evaluation(tmp_path / "out.json")
    assert record.values == [100.0 * (each >= rewards[3]) for each in rewards] and record.metric == "share"


def test_a_reward_suite_reads_prompts_of_a_file(tmp_path, monkeypatch) -> None:
    (tmp_path / "asked.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n{"text": "two"}\n{"text": "three"}\n')
    spec = {"kind": "reward", "scorer": "s", "data": str(tmp_path / "asked.jsonl"), "column": "text", "limit": 3}

    def run() -> pd.DataFrame:
        out = tmp_path / "prompts.parquet"
        monkeypatch.setattr(sys, "argv", ["prompts", "--suite", "r", "--spec", json.dumps(spec), "--out", str(out)])
        prompts.main()
        return pd.read_parquet(out)

    assert [turns[0]["content"] for turns in run()["prompt"]] == ["one", "two"]
    spec["column"] = "instruction"
    with pytest.raises(InputError, match=r"row 0.*no text in instruction"):
        run()


def logprob_rows(values: dict[str, list[float]]) -> pd.DataFrame:
    logprobs = [np.float32(each) for each in values.values()]
    return pd.DataFrame({"response_id": list(values), "token_logprobs": logprobs, "tokens": 0})


def test_implicit_rewards_are_against_the_start_and_likelihoods_per_token(tmp_path, monkeypatch) -> None:
    rows = [("p", "a", "b"), ("p", "b", "c"), ("q", "d", "e"), ("q", "d", "gone")]
    pairs = pd.DataFrame([(*row, 1.0, 0.0, "x") for row in rows], columns=list(PAIRS.columns))
    now = {"a": [-1.0], "b": [-1.0, -2.0], "c": [-4.0], "d": [-3.0], "e": [-2.0]}
    then = {"a": [-0.5], "b": [-1.0, -3.0], "c": [-4.0], "d": [-3.5], "e": [-2.5]}
    write_table(pairs, tmp_path / "pairs.parquet", PAIRS)
    write_table(logprob_rows(now), tmp_path / "now.parquet", LOGPROBS)
    write_table(logprob_rows(then), tmp_path / "then.parquet", LOGPROBS)

    def run(metric: str, *start: str):
        spec = json.dumps({"kind": "preference", "pairs": "held_out", "metric": metric})
        flags = ["--name", "p", "--suite", "s", "--spec", spec, "--pairs", tmp_path / "pairs.parquet"]
        files = ["--logprobs", tmp_path / "now.parquet", "--start", *[tmp_path / each for each in start]]
        out = ["--out", tmp_path / "out.json"]
        monkeypatch.setattr(sys, "argv", ["preference", *map(str, [*flags, *files, *out])])
        preference.main()
        return read_evaluation(tmp_path / "out.json")

    record = run("implicit_accuracy", "then.parquet")
    # a-b: -0.5 - 1 < 0; b-c: 1 - 0 > 0; d-e: 0.5 - 0.5, a tie.
    assert record.values == [50.0, 50.0] and record.details["pairs_without_room"] == 1
    assert record.metrics["implicit_margin"] == pytest.approx((-1.5 + 1.0 + 0.0) / 3)
    assert record.metrics["likelihood_accuracy"] == 50.0
    assert run("likelihood_accuracy", "then.parquet").values == [100.0, 0.0]
    assert run("implicit_accuracy").values == [50.0, 50.0]


@given(st.lists(st.tuples(st.sampled_from("pqr"), st.floats(-9, 0), st.floats(-9, 0)), min_size=1, max_size=12))
def test_a_start_by_itself_prefers_nothing_and_swapped_labels_mirror(rows) -> None:
    pairs = pd.DataFrame(
        [(of, f"{at}+", f"{at}-", 1.0, 0.0, "x") for at, (of, _, _) in enumerate(rows)], columns=list(PAIRS.columns)
    )
    values = {f"{at}{sign}": (each, 2) for at, row in enumerate(rows) for sign, each in zip("+-", row[1:], strict=True)}
    swapped = pairs.rename(columns={"chosen_id": "rejected_id", "rejected_id": "chosen_id"})
    assert set(accuracies(differences(pairs, values, values), "implicit")) == {50.0}
    there, back = (accuracies(differences(each, values, None), "likelihood") for each in (pairs, swapped))
    assert np.allclose(there + back, 100)


def test_a_preference_suite_knows_its_metrics() -> None:
    with pytest.raises(ValidationError):
        PreferenceSuite.model_validate({"kind": "preference", "pairs": "x", "metric": "accuracy"})
