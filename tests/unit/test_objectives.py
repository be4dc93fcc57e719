"""Objectives: their values, their gradients, and what the configuration reads of them."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.config.objectives import objective_options
from scripts.lib.objectives import OBJECTIVES, PairLogps, dpo, implicit_rewards, objective, sft, with_options

LOGP = st.floats(-150.0, 0.0)
BETA = st.floats(0.01, 2.0)


def pair(chosen: float, rejected: float, ref_chosen: float = 0.0, ref_rejected: float = 0.0, **more) -> PairLogps:
    """One pair in float64, its log-probabilities leaves of the graph."""
    logps = [torch.tensor([value], dtype=torch.float64) for value in (chosen, rejected, ref_chosen, ref_rejected)]
    for leaf in logps[:2]:
        leaf.requires_grad_()
    lengths = [torch.tensor([float(more.get(name, 5))]) for name in ("chosen_length", "rejected_length")]
    return PairLogps(*logps, *lengths)


def margin(chosen: float, rejected: float, ref_chosen: float, ref_rejected: float) -> float:
    return (chosen - ref_chosen) - (rejected - ref_rejected)


@given(LOGP, LOGP, LOGP, LOGP, BETA)
def test_dpo_is_minus_log_sigmoid_of_the_margin(chosen, rejected, ref_chosen, ref_rejected, beta) -> None:
    x = beta * margin(chosen, rejected, ref_chosen, ref_rejected)
    expected = math.log1p(math.exp(-x)) if x > 0 else -x + math.log1p(math.exp(x))
    loss = dpo(pair(chosen, rejected, ref_chosen, ref_rejected), beta=beta)
    assert loss.shape == (1,)
    assert loss.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(LOGP, LOGP, BETA)
def test_dpo_is_log_2_where_policy_and_reference_agree(chosen, rejected, beta) -> None:
    assert dpo(pair(chosen, rejected, chosen, rejected), beta=beta).item() == pytest.approx(math.log(2), rel=1e-12)
    assert dpo(pair(rejected, chosen, rejected, chosen), beta=beta).item() == pytest.approx(math.log(2), rel=1e-12)


@given(LOGP, LOGP, LOGP, LOGP, BETA)
def test_dpo_raises_the_chosen_and_lowers_the_rejected(chosen, rejected, ref_chosen, ref_rejected, beta) -> None:
    logps = pair(chosen, rejected, ref_chosen, ref_rejected)
    dpo(logps, beta=beta).sum().backward()
    expected = -beta / (1 + math.exp(beta * margin(chosen, rejected, ref_chosen, ref_rejected)))
    assert logps.chosen.grad.item() < 0 < logps.rejected.grad.item()
    assert logps.chosen.grad.item() == pytest.approx(expected, rel=1e-9)
    assert logps.rejected.grad.item() == -logps.chosen.grad.item()


@given(st.floats(-100.0, 100.0), st.floats(0.01, 100.0), BETA)
def test_dpo_falls_as_the_margin_grows(at, more, beta) -> None:
    assert dpo(pair(at + more, 0.0), beta=beta).item() < dpo(pair(at, 0.0), beta=beta).item()


@given(LOGP, LOGP, st.floats(-50.0, 50.0), BETA)
def test_swapping_a_pair_without_a_margin_changes_nothing(ref_chosen, ref_rejected, shift, beta) -> None:
    chosen, rejected = ref_chosen + shift, ref_rejected + shift
    loss = dpo(pair(chosen, rejected, ref_chosen, ref_rejected), beta=beta).item()
    assert loss == pytest.approx(math.log(2), rel=1e-9)
    assert dpo(pair(rejected, chosen, ref_rejected, ref_chosen), beta=beta).item() == pytest.approx(loss, rel=1e-9)


@given(LOGP, LOGP, st.integers(1, 500))
def test_sft_is_the_chosen_responses_mean_over_its_tokens(chosen, rejected, length) -> None:
    logps = pair(chosen, rejected, chosen_length=length)
    loss = sft(logps)
    loss.sum().backward()
    assert loss.item() == pytest.approx(-chosen / length)
    assert logps.chosen.grad.item() == pytest.approx(-1 / length)
    assert logps.rejected.grad is None


def test_rewards_are_those_of_the_policy_against_the_reference() -> None:
    chosen, rejected = implicit_rewards(pair(-10.0, -20.0, -12.0, -15.0), beta=0.5)
    assert (chosen.item(), rejected.item()) == (1.0, -2.5)


def test_the_configuration_reads_every_objective_and_its_options() -> None:
    assert objective_options().keys() == OBJECTIVES.keys()
    assert objective_options()["dpo"] == {"beta"}
    assert objective_options()["sft"] == frozenset()


def test_beta_goes_to_those_that_take_one_and_options_to_the_rest(monkeypatch) -> None:
    monkeypatch.setattr("scripts.lib.objectives.OBJECTIVES", dict(OBJECTIVES))

    @objective
    def shifted(logps: PairLogps, beta: float = 0.1, shift: float = 0.0) -> torch.Tensor:
        return beta * (logps.chosen - logps.rejected) - shift

    logps = pair(-2.0, -4.0)
    assert with_options("shifted", 0.5, {"shift": 3.0})(logps).item() == -2.0
    assert with_options("dpo", 2.0, {})(logps).item() == dpo(logps, beta=2.0).item()
    assert with_options("sft", 2.0, {})(logps).item() == sft(logps).item()
