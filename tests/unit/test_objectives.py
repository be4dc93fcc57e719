"""Objectives: their values, their gradients, and what the configuration reads from their code."""

import ast
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.config.objectives import SOURCE, objective_options
from scripts.lib.objectives import (
    OBJECTIVES,
    PairLogps,
    dpo,
    dpop,
    flex_dpo,
    implicit_rewards,
    ipo,
    objective,
    orpo,
    sft,
    sft_dpo,
    simpo,
    slic,
    with_options,
)

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


FAR = st.floats(-5000.0, 0.0) | st.sampled_from([0.0, -5000.0, -1e-6, -1e-8, -1e-12, -1e-30, -1e-39, -5e-324])
LENGTH = st.integers(1, 5000)


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@given(logps=st.tuples(FAR, FAR, FAR, FAR), lengths=st.tuples(LENGTH, LENGTH), alike=st.booleans())
def test_losses_and_gradients_are_finite(name, dtype, logps, lengths, alike) -> None:
    """Far from the reference, at probabilities of one and of zero, and for equal responses."""
    if alike:
        logps, lengths = (logps[0], logps[0], logps[2], logps[2]), (lengths[0], lengths[0])
    tensors = [torch.tensor([value], dtype=dtype, requires_grad=at < 2) for at, value in enumerate(logps)]
    loss = OBJECTIVES[name](PairLogps(*tensors, *[torch.tensor([float(length)]) for length in lengths]))
    loss.sum().backward()
    assert loss.shape == (1,) and loss.dtype == dtype
    assert loss.isfinite().all() and tensors[0].grad.isfinite().all()
    assert tensors[1].grad is None if name == "sft" else tensors[1].grad.isfinite().all()


@pytest.mark.parametrize("name", sorted(OBJECTIVES.keys() - {"sft", "ipo"}))
@given(far=st.tuples(FAR, FAR, FAR, FAR), lengths=st.tuples(LENGTH, LENGTH))
def test_the_chosen_never_fall_and_the_rejected_never_rise(name, far, lengths) -> None:
    """IPO's do, beyond its target (test_objectives_closed_forms.py)."""
    logps = pair(*far, chosen_length=lengths[0], rejected_length=lengths[1])
    OBJECTIVES[name](logps).sum().backward()
    assert logps.chosen.grad.item() <= 0 <= logps.rejected.grad.item()


@given(LOGP, LOGP, st.floats(0.01, 1.0), st.floats(0.01, 1.0))
def test_what_a_loss_is_where_policy_and_reference_agree(chosen, rejected, one, other) -> None:
    at_reference = pair(chosen, rejected, chosen, rejected)
    assert flex_dpo(at_reference, beta_chosen=one, beta_rejected=other).item() == pytest.approx(math.log(2))
    assert dpop(at_reference, beta=one, lam=100 * other).item() == pytest.approx(math.log(2))
    assert sft_dpo(at_reference, beta=one, gamma=other).item() == pytest.approx(math.log(2) - other * chosen)
    assert ipo(at_reference, eta=other).item() == pytest.approx(1 / (4 * other**2))


@given(LOGP, LENGTH, st.floats(0.01, 10.0), st.floats(0.0, 5.0))
def test_what_a_loss_is_where_both_responses_are_the_same(logp, length, one, other) -> None:
    same = pair(logp, logp, chosen_length=length, rejected_length=length)
    assert slic(same, delta=one, eta=other).item() == pytest.approx(one - other * logp)
    assert simpo(same, beta=one, gamma=other).item() == pytest.approx(math.log1p(math.exp(other)))
    assert orpo(same, lam=other).item() == pytest.approx(-logp / length + other * math.log(2))


@pytest.mark.parametrize("name", ["sft", "slic", "simpo", "orpo"])
@given(LOGP, LOGP, LOGP, LOGP)
def test_some_have_no_reference(name, chosen, rejected, ref_chosen, ref_rejected) -> None:
    without = OBJECTIVES[name](pair(chosen, rejected)).item()
    assert OBJECTIVES[name](pair(chosen, rejected, ref_chosen, ref_rejected)).item() == without


@pytest.mark.parametrize("name", sorted(OBJECTIVES.keys() - {"sft", "simpo", "orpo"}))
@given(LOGP, LOGP, LENGTH, LENGTH)
def test_most_have_no_lengths(name, chosen, rejected, chosen_length, rejected_length) -> None:
    lengths = {"chosen_length": chosen_length, "rejected_length": rejected_length}
    without = OBJECTIVES[name](pair(chosen, rejected, -3.0, -4.0)).item()
    assert OBJECTIVES[name](pair(chosen, rejected, -3.0, -4.0, **lengths)).item() == without


@given(LOGP, LOGP, LOGP, LOGP, BETA)
def test_variants_of_dpo_are_dpo_without_what_they_add(chosen, rejected, ref_chosen, ref_rejected, beta) -> None:
    logps = pair(chosen, rejected, ref_chosen, ref_rejected)
    plain = dpo(logps, beta=beta).item()
    assert flex_dpo(logps, beta_chosen=beta, beta_rejected=beta).item() == plain
    assert sft_dpo(logps, beta=beta, gamma=0.0).item() == plain
    assert dpop(logps, beta=beta, lam=0.0).item() == plain
    assert dpop(logps, beta=beta, lam=5.0).item() >= plain
    if chosen >= ref_chosen:
        assert dpop(logps, beta=beta, lam=5.0).item() == plain


def test_the_configuration_reads_every_objective_and_its_options() -> None:
    assert objective_options() == {
        "dpo": {"beta"},
        "sft": frozenset(),
        "flex_dpo": {"beta_chosen", "beta_rejected"},
        "sft_dpo": {"beta", "gamma"},
        "ipo": {"eta"},
        "slic": {"delta", "eta"},
        "simpo": {"beta", "gamma"},
        "dpop": {"beta", "lam"},
        "orpo": {"lam"},
    }
    assert objective_options().keys() == OBJECTIVES.keys()


def test_no_objective_calls_another() -> None:
    """The fingerprint of a run's code leaves out all objectives but its own: a change to another would be missed."""
    for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body:
        names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        assert not names & OBJECTIVES.keys()


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_the_beta_of_a_variant_goes_to_those_that_take_one(name) -> None:
    logps = pair(-2.0, -4.0, -5.0, -3.0)
    given = {"beta": 0.7} if "beta" in objective_options()[name] else {}
    options = {option: 0.3 for option in objective_options()[name] - {"beta"}}
    assert with_options(name, 0.7, options)(logps).item() == OBJECTIVES[name](logps, **given, **options).item()
    assert (with_options(name, 1.1, options)(logps).item() != with_options(name, 0.7, options)(logps).item()) == bool(
        given
    )


def test_beta_goes_to_those_that_take_one_and_options_to_the_rest(monkeypatch) -> None:
    monkeypatch.setattr("scripts.lib.objectives.OBJECTIVES", dict(OBJECTIVES))

    @objective
    def shifted(logps: PairLogps, beta: float = 0.1, shift: float = 0.0) -> torch.Tensor:
        return beta * (logps.chosen - logps.rejected) - shift

    logps = pair(-2.0, -4.0)
    assert with_options("shifted", 0.5, {"shift": 3.0})(logps).item() == -2.0
    assert with_options("dpo", 2.0, {})(logps).item() == dpo(logps, beta=2.0).item()
    assert with_options("sft", 2.0, {})(logps).item() == sft(logps).item()
