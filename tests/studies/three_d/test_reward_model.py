"""Reward models against DPO: what a run measures, how steadiness is counted, and the claims."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from scripts.lib.classifiers import outputs
from scripts.lib.errors import InputError
from scripts.lib.models import load_causal
from scripts.report import style
from studies.three_d import layout, rewards
from studies.three_d.config import RewardModels
from studies.three_d.figures import figure5, figure8
from studies.three_d.reward_model import held_out, reward, run
from studies.three_d.reward_model.curves import changes, gaps, read_curve
from studies.three_d.tables import rm_vs_dpo
from tests.pairs_data import Data, spec_of
from tests.studies.three_d.data import SPEC

SETS = [{"name": "HH-RLHF", "pairs": "p"}, {"name": "MATH", "pairs": "q"}]
MODELS = RewardModels(seeds=[0, 1, 4], sets=SETS)  # one more than the experiments
WITH = SPEC.model_copy(update={"reward_models": MODELS})
MEASURED = 17


@pytest.fixture
def data(tmp_path, tiny_policy) -> Data:
    return Data(tmp_path, tiny_policy)


@pytest.mark.parametrize("kind", run.KINDS)
def test_a_run_measures_every_few_steps_and_at_its_end(data, monkeypatch, kind) -> None:
    data.write()
    out = data.folder / f"{kind}.csv"
    flags = {name: data.folder / f"{name}.parquet" for name in ("pairs", "prompts", "responses", "logprobs")}
    flags |= {"kind": kind, "spec": spec_of(epochs=8).model_dump_json(), "seed": 1, "held-out": 0.4, "every": 3}
    flags |= {"policy": data.policy / "policy.json", "out": out}
    monkeypatch.setattr(sys, "argv", ["run", *[text for name, v in flags.items() for text in (f"--{name}", str(v))]])
    run.main()
    curve = pd.read_csv(out)
    assert list(curve) == run.COLUMNS and curve["step"].tolist() == list(range(len(curve)))
    assert curve["held_out"].notna().tolist() == [at % 3 == 0 or at == len(curve) - 1 for at in range(len(curve))]
    assert curve["loss"].iloc[-2] < 0.5 * curve["loss"].iloc[0] and np.isnan(curve["loss"].iloc[-1])
    if kind == "dpo":  # a policy that is its reference tells nothing
        assert curve["held_out"].iloc[0] == 0.5 and curve["loss"].iloc[0] == pytest.approx(np.log(2), abs=1e-4)


def test_a_reward_model_has_the_policys_layers_and_reads_the_whole_conversation(data) -> None:
    pad_id = data.tokenizer.pad_token_id
    model = reward.from_policy(data.card, pad_id, seed=3)
    policy = load_causal(data.card)
    for name, weight in policy.base_model.state_dict().items():
        assert torch.equal(model.base_model.state_dict()[name], weight), name
    again, other = (reward.from_policy(data.card, pad_id, seed) for seed in (3, 4))
    assert torch.equal(model.score.weight, again.score.weight) and not torch.equal(
        model.score.weight, other.score.weight
    )
    pairs = data.examples()
    found = reward.margins(model, pairs)
    for each, margin in zip(pairs, found, strict=True):
        values = outputs(model, reward.conversations([each]))
        assert margin == pytest.approx(float(values[0] - values[1]), abs=1e-4)


def test_held_out_prompts_are_the_same_whatever_the_order_and_about_as_many_as_asked() -> None:
    names = [f"prompt {at}" for at in range(4000)]
    out = [held_out.is_held_out(each, 0.25) for each in names]
    assert sum(out) == pytest.approx(1000, abs=120)
    assert held_out.accuracy([1.0, -1.0, 0.0, 2.0]) == 0.625
    assert held_out.accuracy([1e-5, -1.0], tie=1e-3) == 0.25


def curve(held: list[float], trained: float, path: Path | None = None) -> pd.DataFrame:
    """Measurements at every other step, and accuracy on trained pairs throughout."""
    rows = [
        {"step": at, "loss": 0.1, "accuracy": trained, "held_out": None if at % 2 else held[at // 2]}
        for at in range(2 * len(held) - 2)
    ]
    rows.append({"step": len(rows), "loss": None, "accuracy": None, "held_out": held[-1]})
    frame = pd.DataFrame(rows, columns=run.COLUMNS)
    if path:
        frame.to_csv(path, index=False)
    return frame


def test_fluctuation_and_overfit_are_what_they_say() -> None:
    """Learning in the first quarter does not count; then the size of every change."""
    held = [0.5, 0.6, 0.7, 0.8, *[0.8, 0.84] * 4]
    assert changes(curve(held, 1.0)).tolist() == pytest.approx([0.0] + [4.0] * 7)
    assert gaps(curve([0.5] * 8 + [0.7, 0.9], 1.0)).tolist() == pytest.approx([30.0, 10.0])


def test_a_curve_of_few_measurements_is_refused(tmp_path) -> None:
    curve([0.5] * 4, 1.0, tmp_path / "few.csv")
    with pytest.raises(InputError, match="4 measurements, and 8 are needed"):
        read_curve(tmp_path / "few.csv")
    with pytest.raises(InputError, match="no readable curve"):
        read_curve(tmp_path / "none.csv")


@pytest.fixture
def curves(tmp_path) -> Path:
    """DPO swings by 6 points and has learnt its pairs by heart; the reward model swings by 2."""
    draw = np.random.default_rng(0)
    for _, kind, runs in layout.reward_models(WITH):
        for name in runs:
            size, trained = (0.03, 1.0) if kind == "dpo" else (0.01, 0.8)
            swing = [0.75 + size * (-1) ** at + draw.normal(0, 0.001) for at in range(MEASURED)]
            curve(swing, trained, tmp_path / f"{name}.csv")
    return tmp_path


def test_the_table_and_the_claims_tell_them_apart(curves, monkeypatch, tmp_path) -> None:
    for what in ("summary", "curves"):
        flags = ["--what", what, "--spec", WITH.model_dump_json(), "--curves", str(curves)]
        monkeypatch.setattr(sys, "argv", ["step", *flags, "--out", str(tmp_path / f"{what}.csv")])
        rm_vs_dpo.main()
    table = pd.read_csv(tmp_path / "summary.csv").set_index(["set", "kind"])
    assert table.loc[("HH-RLHF", "dpo"), "fluctuation"] == pytest.approx(6.0, abs=0.2)
    assert table.loc[("MATH", "rm"), "fluctuation"] == pytest.approx(2.0, abs=0.2)
    assert table.loc[("MATH", "dpo"), "overfit"] == pytest.approx(25.0, abs=3.5)
    rows = pd.read_csv(tmp_path / "curves.csv")
    assert len(rows) == 2 * 2 * 3 * (2 * MEASURED - 1) and set(rows["seed"]) == {0, 1, 4}
    assert set(table["n_seeds"]) == {3}
    with style.drawing():
        assert (
            len(figure5.figure(tmp_path / "curves.csv").axes) == len(figure8.figure(tmp_path / "curves.csv").axes) == 2
        )
    found = {each.claim: each for each in rewards.reward_models(WITH, curves)}
    assert set(found) == {
        f"{name}{part}" for name in ("rm_steadier", "dpo_overfits") for part in ("", ".set_1", ".set_2")
    }
    assert {(each.verdict, each.n_seeds) for each in found.values()} == {("holds", 3)}
    assert found["rm_steadier.set_1"].measured == pytest.approx(4.0, abs=0.3)
    assert "no more" not in found["rm_steadier"].finding


def test_curves_that_are_alike_decide_nothing(tmp_path) -> None:
    draw = np.random.default_rng(1)
    for _, _, runs in layout.reward_models(WITH):
        for name in runs:
            curve(draw.uniform(0.7, 0.8, MEASURED).tolist(), 0.9, tmp_path / f"{name}.csv")
    found = {each.claim: each.verdict for each in rewards.reward_models(WITH, tmp_path)}
    assert found["rm_steadier"] != "holds" and found["dpo_overfits"] != "holds"
