"""Section 4 of "What Matters in Data for DPO?" on tabular policies, apart from Theorem 4.5, and faults to be seen."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scripts.studies.theorems import by_statement
from studies.what_matters.theory import (
    gradient_step,
    insights,
    minimiser,
    tabular,
)
from studies.what_matters.theory.instances import EXACT, OPTIMISED, RESPONSES, SUPPORTED, Draws, order
from tests.studies.what_matters.theory_data import BETA, SEED, differences, few, instance

INSTANCES = 20


def proposed(seed):
    """(reference, policy, proposals, preferences) of INSTANCES instances of one seed."""
    draws = Draws("test", [seed], INSTANCES)
    return [each[0] for each in (draws.policy(), draws.policy(), draws.proposals(), draws.preferences())]


def brute_force_loss(policy, reference, pairs, beta):
    """Equation 4, literally, over all pairs of one instance."""
    total = 0.0
    for w in range(len(policy)):
        for l in range(len(policy)):  # noqa: E741
            margin = (policy[w] - reference[w]) - (policy[l] - reference[l])
            total -= pairs[w][l] * math.log(1 / (1 + math.exp(-beta * margin)))
    return total


# The implementation


@few
@given(SEED, BETA)
def test_the_loss_is_that_of_every_pair_weighed(seed, beta):
    policy, reference, joint = instance(seed, 4, 4, 16)
    pairs = joint.exp().view(4, 4)
    expected = brute_force_loss(policy.tolist(), reference.tolist(), pairs.tolist(), beta)
    assert float(tabular.dpo_loss(policy, reference, pairs, beta)) == pytest.approx(expected, rel=1e-12)


def test_instances_do_not_mix():
    reference, policy, proposals, preferences = proposed(0)
    pairs = tabular.labelled(proposals, preferences)
    together = tabular.dpo_loss(policy, reference, pairs, 0.1)
    alone = [tabular.dpo_loss(policy[i], reference[i], pairs[i], 0.1) for i in range(INSTANCES)]
    assert torch.allclose(together, torch.stack(alone), rtol=0, atol=1e-15)
    slope, hessian = tabular.curvature(lambda f: tabular.dpo_loss(f, reference, pairs, 0.1), policy)
    one = torch.autograd.functional.hessian(lambda f: tabular.dpo_loss(f, reference[3], pairs[3], 0.1), policy[3])
    assert torch.allclose(hessian[3], one, rtol=0, atol=1e-14)
    assert torch.allclose(slope, tabular.derivative(policy - reference, pairs, 0.1), rtol=0, atol=1e-15)


def test_draws_are_what_they_say():
    proposals, preferences = proposed(1)[2:]
    assert torch.equal(proposals, proposals.mT) and torch.allclose(proposals.sum(dim=(1, 2)), torch.ones(1).double())
    assert not proposals[:, SUPPORTED:].any() and (proposals.sum(dim=-1)[:, :SUPPORTED] > 0).all()
    assert torch.allclose(preferences + preferences.mT, torch.ones(1).double())
    assert torch.allclose(tabular.labelled(proposals, preferences).sum(dim=(1, 2)), torch.ones(1).double())


def test_a_seed_has_its_own_instances_whatever_the_others_are():
    both, alone = Draws("test", [3, 1]).policy(), Draws("test", [1]).policy()
    assert torch.equal(both[1], alone[0]) and not torch.equal(both[0], both[1])
    assert not torch.equal(alone, Draws("other", [1]).policy())
    assert both.shape[0] == 2 and torch.allclose(both.exp().sum(dim=-1), torch.ones(1).double())


@pytest.mark.parametrize("power", [1, 2, 3])
def test_the_order_is_the_exponent(power):
    """Seed by seed."""
    error = torch.tensor([[2.0, -3.0], [5.0, 0.0]])
    found = order([0.4, 0.2, 0.1], lambda size: error * torch.tensor([[size**power], [size]]))
    assert found.tolist() == pytest.approx([power, 1])


def test_the_optimiser_says_when_there_is_no_minimum():
    """One pair, always labelled the same way: the loss decreases forever."""
    pairs = torch.tensor([[0.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    start = torch.zeros(2, dtype=torch.float64)
    with pytest.raises(ArithmeticError, match="no stationary point"):
        tabular.minimise(lambda f: tabular.dpo_loss(f, start, pairs, 0.01), start)


# Theorem 4.1 and Proposition 4.2


@few
@given(SEED, BETA)
def test_the_derivative_is_that_of_equation_16(seed, beta):
    reference, policy, proposals, preferences = proposed(seed)
    f, pairs = policy - reference, tabular.labelled(proposals, preferences)
    g = tabular.derivative(f, pairs, beta)
    assert torch.allclose(g, tabular.derivative_by_hand(f, proposals, preferences, beta), rtol=0, atol=1e-14)
    numeric = differences(lambda at: tabular.dpo_loss(at, torch.zeros_like(at), pairs[0], beta), f[0])
    assert torch.allclose(g[0], numeric, rtol=0, atol=1e-8)
    swapped = tabular.derivative_by_hand(f, proposals, preferences.mT, beta)
    assert (g - swapped).abs().max() > 1e3 * EXACT


@few
@given(SEED, BETA, st.floats(0.01, 10.0))
def test_unsupported_responses_move_with_the_normaliser_alone(seed, beta, size):
    reference, policy, proposals, preferences = proposed(seed)
    g = tabular.derivative(policy - reference, tabular.labelled(proposals, preferences), beta)
    moved = tabular.normalised(policy - size * g) - policy
    assert not g[:, SUPPORTED:].any()
    between = moved[:, SUPPORTED:] - moved[:, SUPPORTED : SUPPORTED + 1]
    assert between.abs().max() < 1e-12
    assert moved[:, SUPPORTED:].abs().max() > 1e3 * EXACT


@few
@given(SEED, BETA)
def test_a_step_on_logits_is_the_step_of_the_proof(seed, beta):
    reference, policy, proposals, preferences = proposed(seed)
    pairs = tabular.labelled(proposals, preferences)
    on_logits = tabular.gradient(lambda x: tabular.dpo_loss(tabular.normalised(x), reference, pairs, beta), policy)
    assert torch.allclose(on_logits, tabular.derivative(policy - reference, pairs, beta), rtol=0, atol=1e-15)


@few
@given(SEED, BETA)
def test_a_step_follows_the_sign_of_the_difference(seed, beta):
    reference, policy, proposals, preferences = proposed(seed)
    f = policy - reference
    g = tabular.derivative(f, tabular.labelled(proposals, preferences), beta)[:, :SUPPORTED]
    difference = tabular.underestimates(f, proposals, preferences, beta)
    assert (-g.sign() == difference[:, :SUPPORTED].sign()).all()
    assert difference[:, SUPPORTED:].isnan().all()


@few
@given(SEED)
def test_a_step_on_shared_features_moves_unsupported_logits(seed):
    reference, _, proposals, preferences = proposed(seed)
    features = torch.randn(INSTANCES, RESPONSES, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    pairs, weights = tabular.labelled(proposals, preferences), torch.ones(INSTANCES, 4, dtype=torch.float64)

    def loss(logits):
        return tabular.dpo_loss(tabular.normalised(logits), reference, pairs, 0.1)

    def logits(weights):
        return (features @ weights[..., None])[..., 0]

    moved = logits(tabular.gradient(lambda w: loss(logits(w)), weights))
    expected = gradient_step.through(features, tabular.gradient(loss, logits(weights)))
    assert torch.allclose(moved, expected, rtol=0, atol=1e-14)
    assert (moved[:, SUPPORTED:].abs() > EXACT).all()


def test_data_that_the_policy_explains_moves_nothing():
    reference, policy, proposals, _ = proposed(2)
    explained = tabular.bradley_terry(0.1 * (policy - reference))
    g = tabular.derivative(policy - reference, tabular.labelled(proposals, explained), 0.1)
    assert g.abs().max() < 1e-15


# Theorem 4.3, equation 5, Proposition 4.4


@few
@given(SEED, BETA)
def test_the_minimiser_is_the_tilted_reference(seed, beta):
    chosen, rejected, reference, start = instance(seed, 6, 6, 6, 6)
    best = tabular.found(tabular.dpo_loss, start, reference, tabular.independent(chosen, rejected), beta)
    assert float(tabular.total_variation(best, tabular.tilted(chosen, rejected, reference, beta))) < OPTIMISED


WRONG = {
    "beta for 1 / beta": lambda chosen, rejected, reference, beta: (chosen - rejected) * beta + reference,
    "chosen and rejected swapped": lambda chosen, rejected, reference, beta: (rejected - chosen) / beta + reference,
    "no reference": lambda chosen, rejected, reference, beta: (chosen - rejected) / beta,
    "the reference to 1 / beta too": lambda chosen, rejected, reference, beta: (chosen - rejected + reference) / beta,
    "the chosen alone": lambda chosen, rejected, reference, beta: chosen / beta + reference,
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_minimiser_is_seen_by_both_quantities(wrong, monkeypatch):
    monkeypatch.setattr(tabular, "tilted", lambda *given: tabular.normalised(WRONG[wrong](*given)))
    rows = by_statement(minimiser.minimisers([0, 1]))[minimiser.MINIMISER.says]
    rows = [row for row in rows if "beta 0.3" in row.quantity]
    assert len(rows) == 2
    for row in rows:
        assert row.verdict == "fails" and row.smallest > 1e3 * row.tolerance, row


@few
@given(SEED, BETA)
def test_under_labels_the_minimiser_is_that_of_the_reward(seed, beta):
    rewards, reference, proposal = instance(seed, 6, 6, 6)
    pairs = tabular.labelled(tabular.independent(proposal, proposal), tabular.bradley_terry(rewards))
    predicted = tabular.rewarded(rewards, reference, beta)
    for best in (
        tabular.found(tabular.dpo_loss, reference, reference, pairs, beta),
        tabular.found(tabular.regularised, reference, rewards, reference, beta),
    ):
        assert float(tabular.total_variation(best, predicted)) < OPTIMISED


@few
@given(SEED, BETA)
def test_the_reward_objective_is_reward_less_divergence(seed, beta):
    rewards, reference, policy = (each.tolist() for each in instance(seed, 5, 5, 5))
    by_hand = sum(math.exp(p) * (beta * (p - q) - r) for r, q, p in zip(rewards, reference, policy, strict=True))
    given = (torch.tensor(each, dtype=torch.float64) for each in (policy, rewards, reference))
    assert float(tabular.regularised(*given, beta)) == pytest.approx(by_hand, abs=1e-12)


@few
@given(SEED, BETA)
def test_equations_8_and_9_are_one_and_have_the_same_minimiser(seed, beta):
    chosen, rejected, reference, policy = instance(seed, 5, 5, 5, 5)
    given = (chosen, rejected, reference, beta)
    reward, divergences = tabular.as_reward(policy, *given), tabular.as_divergences(policy, *given)
    by_hand = sum(
        math.exp(p) * (q - w + beta * (p - r))
        for p, w, q, r in zip(*(each.tolist() for each in (policy, chosen, rejected, reference)), strict=True)
    )
    assert float(reward) == pytest.approx(by_hand, abs=1e-12) == pytest.approx(float(divergences), abs=1e-12)
    best = tabular.found(tabular.as_reward, reference, *given)
    assert float(tabular.total_variation(best, tabular.tilted(*given))) < OPTIMISED
    swapped = tabular.as_divergences(policy, rejected, chosen, reference, beta)
    assert abs(float(reward - swapped)) > 1e3 * EXACT


# What is read from equation 7


@few
@given(SEED)
def test_the_best_and_the_worst_of_four_samples(seed):
    """Over all 81 draws of four among three responses."""
    rewards, policy = instance(seed, 3, 3)
    best, worst = torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for drawn in itertools.product(range(3), repeat=insights.CANDIDATES):
        probability = policy[list(drawn)].sum().exp()
        best[max(drawn, key=lambda y: rewards[y])] += probability
        worst[min(drawn, key=lambda y: rewards[y])] += probability
    found = insights.best_and_worst(rewards, policy)
    assert torch.allclose(found[0].exp(), best, atol=1e-14) and torch.allclose(found[1].exp(), worst, atol=1e-14)
