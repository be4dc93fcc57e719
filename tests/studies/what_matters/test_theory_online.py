"""Theorem 4.5 and where online DPO ends, on tabular policies, and faults to be detected."""

import pytest
import torch
from hypothesis import given

from scripts.studies.theorems import verdict_of
from studies.what_matters.theory import (
    online,
    online_training,
    tabular,
)
from studies.what_matters.theory.instances import EXACT, Draws, order
from tests.studies.what_matters.theory_data import BETA, SEED, differences, few, instance


def test_the_online_gradient_holds_the_sampling_still():
    chosen, reference, logits = instance(3, 5, 5, 5)
    found = tabular.online_gradient(logits, chosen, reference, 0.5)
    still = tabular.independent(chosen, tabular.normalised(logits))
    numeric = differences(lambda x: tabular.dpo_loss(tabular.normalised(x), reference, still, 0.5), logits)
    assert torch.allclose(found, numeric, rtol=0, atol=1e-8)

    def through_sampling(x):
        policy = tabular.normalised(x)
        return tabular.dpo_loss(policy, reference, tabular.independent(chosen, policy), 0.5)

    assert (found - differences(through_sampling, logits)).norm() > 1e-3


def test_the_gradients_of_the_expansion():
    chosen, reference, logits = instance(4, 5, 5, 5)
    policy = tabular.normalised(logits)
    scores = torch.eye(5, dtype=torch.float64) - policy.exp()  # row y: grad log pi(y) by the logits
    relative = policy - reference
    middle = torch.zeros(5, dtype=torch.float64)
    for w in range(5):
        for l in range(5):  # noqa: E741
            middle -= chosen[w].exp() * policy[l].exp() * (relative[l] - relative[w]) * scores[w]
    assert torch.allclose(tabular.middle_gradient(logits, chosen, reference), middle, rtol=0, atol=1e-15)
    assert torch.allclose(tabular.sft_gradient(logits, chosen), -chosen.exp() @ scores, rtol=0, atol=1e-15)
    expected = (policy.exp() * relative) @ scores
    assert torch.allclose(tabular.divergence_gradient(logits, reference), expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("part", ["middle", "kl"])
@pytest.mark.parametrize("factor", [-1.0, 0.0, 0.5])
def test_a_wrong_term_of_the_expansion_lowers_its_order(part, factor):
    near = online.at_random(Draws("online", [0]), 1.0)
    assert float(order([0.2, 0.1, 0.05], near.remainder)) == pytest.approx(4.0, abs=0.1)
    setattr(near, part, factor * getattr(near, part))
    assert float(order([0.2, 0.1, 0.05], near.remainder)) < 2.5


def test_no_other_number_is_nearer_to_the_middle_term():
    near = online.at_random(Draws("online", [0]), 1.0)

    def left(number):
        return (near.middle * 0.025 - number[..., None] * near.sft).norm(dim=-1)

    best = near.epsilon(0.1)
    assert (left(best) < left(best + 1e-3)).all() and (left(best) < left(best - 1e-3)).all()


def test_a_number_is_all_there_is_to_the_middle_term_for_one_chosen_response_only(monkeypatch):
    assert verdict_of(online.one_chosen([0, 1])) == "holds"
    monkeypatch.setattr(online, "one_hot", lambda which, n: torch.full((*which.shape, n), 1 / n))
    assert verdict_of(online.one_chosen([0, 1])) == "fails"


def test_epsilon_is_negative_on_the_way_from_the_reference_to_the_chosen():
    """Along pi_ref^(1-t) pi*^t the mean of f is larger under the chosen than under the policy, for t below one."""
    draws = Draws("way", [0])
    chosen, reference = draws.policy(), draws.policy()
    for t in (0.1, 0.5, 0.9):
        policy = tabular.normalised((1 - t) * reference + t * chosen)
        relative = policy - reference
        assert (((policy.exp() - chosen.exp()) * relative).sum(dim=-1) < 0).all()
        assert (online.Online(policy, chosen, reference).epsilon(0.1) < 0).all()


@few
@given(SEED, BETA)
def test_online_dpo_stands_still_where_it_is_said_to_and_nowhere_near(seed, beta):
    chosen, reference = instance(seed, 5, 5)
    still = online_training.standstill(chosen, reference, beta)
    assert tabular.online_gradient(still, chosen, reference, beta).norm() < EXACT
    for other in (chosen, tabular.normalised((chosen + 2 * beta * reference) / (1 + 2 * beta))):
        assert tabular.online_gradient(other, chosen, reference, beta).norm() > 1e3 * EXACT


def test_training_ends_where_online_dpo_stands_still():
    chosen, reference = (each[None] for each in instance(5, 5, 5))
    still = online_training.standstill(chosen, reference, 0.1)
    apart = [tabular.total_variation(tabular.normalised(x), still) for x in online_training.trained(chosen, reference)]
    assert apart[0] > apart[1] > apart[2] and apart[2] < 0.02
