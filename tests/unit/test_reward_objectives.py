"""Objectives with a reward, and advantages: expectations against exact gradients on a policy that is enumerated."""

import math
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.config.objectives import reward_objective_options
from scripts.lib.reward_objectives import REWARD_OBJECTIVES, SampleLogps, ppo, reinforce, reward_weighted
from scripts.training.advantages import ValueHead, against_the_others, returns, token_rewards

TOKENS, BETA = 3, 0.3
RESPONSES = list(product(range(TOKENS), repeat=2))
"""All responses of two tokens."""


class Enumerated:
    """A policy over RESPONSES: logits of the first token, and of the second given the first; with a reference."""

    def __init__(self, seed: int) -> None:
        draw = torch.Generator().manual_seed(seed)
        self.first, self.ref_first = torch.randn(2, TOKENS, generator=draw, dtype=torch.float64)
        self.second, self.ref_second = torch.randn(2, TOKENS, TOKENS, generator=draw, dtype=torch.float64)
        self.rewards = torch.randn(len(RESPONSES), generator=draw, dtype=torch.float64)
        self.values = torch.randn(1 + TOKENS, generator=draw, dtype=torch.float64)
        self.parameters = [self.first.requires_grad_(), self.second.requires_grad_()]

    def logps(self) -> torch.Tensor:
        """Log-probs (responses, 2) of every token, differentiable."""
        return _logps(self.first, self.second)

    def ref(self) -> torch.Tensor:
        return _logps(self.ref_first, self.ref_second)

    def expected(self, beta: float) -> torch.Tensor:
        """E[ r - beta log(pi / pi_ref) ], exactly."""
        sums = self.logps().sum(1)
        return (sums.exp() * (self.rewards - beta * (sums - self.ref().sum(1)))).sum()

    def baselines(self, at: int) -> torch.Tensor:
        """What a value head, here any function of the tokens before, expects at both tokens of a response."""
        return torch.stack([self.values[0], self.values[1 + RESPONSES[at][0]]])

    def samples(self, chosen: tuple[int, ...], advantages: list[torch.Tensor], old: torch.Tensor) -> SampleLogps:
        return SampleLogps(
            logps=self.logps()[list(chosen)].flatten(),
            old=old[list(chosen)].flatten(),
            advantages=torch.cat(advantages),
            sample=torch.repeat_interleave(torch.arange(len(chosen)), 2),
            rewards=self.rewards[list(chosen)],
            prompt=torch.zeros(len(chosen), dtype=torch.long),
        )


def _logps(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    one, two = first.log_softmax(0), second.log_softmax(1)
    return torch.stack([torch.stack([one[a], two[a, b]]) for a, b in RESPONSES])


def earned_of(policy: Enumerated, at: int) -> torch.Tensor:
    old, ref = policy.logps().detach(), policy.ref()
    return token_rewards(policy.rewards[at].item(), old[at], ref[at], BETA)


def mean_gradient(policy: Enumerated, objective, advantages_of, n: int) -> list[torch.Tensor]:
    """The expectation, over all draws of n samples, of the gradient of the mean loss."""
    old = policy.logps().detach()
    total = 0.0
    for chosen in product(range(len(RESPONSES)), repeat=n):
        losses = objective(policy.samples(chosen, advantages_of(chosen), old))
        total = total + old[list(chosen)].sum().exp() * losses.mean()
    return torch.autograd.grad(total, policy.parameters)


@pytest.mark.parametrize("objective", [reinforce, ppo], ids=["reinforce", "ppo"])
@pytest.mark.parametrize("baseline", ["leave_one_out", "value"])
def test_the_expected_gradient_is_that_of_the_expected_reward(objective, baseline) -> None:
    """With the KL penalty, to rounding; a baseline that is any function of what came before is harmless."""
    for seed in range(3):
        policy = Enumerated(seed)

        def advantages_of(chosen: tuple[int, ...], policy: Enumerated = policy) -> list[torch.Tensor]:
            earned = [earned_of(policy, at) for at in chosen]
            if baseline == "leave_one_out":
                return against_the_others(earned)
            return [returns(each) - policy.baselines(at) for each, at in zip(earned, chosen, strict=True)]

        exact = torch.autograd.grad(policy.expected(BETA), policy.parameters)
        found = mean_gradient(policy, objective, advantages_of, 2 if baseline == "leave_one_out" else 1)
        for one, other in zip(found, exact, strict=True):
            assert other.abs().max() > 0.01
            torch.testing.assert_close(-one, other, rtol=0, atol=1e-12)


def test_a_baseline_that_holds_the_sample_itself_would_be_seen() -> None:
    policy = Enumerated(0)
    exact = torch.autograd.grad(policy.expected(BETA), policy.parameters)

    def own_mean(chosen: tuple[int, ...]) -> list[torch.Tensor]:
        """The mean of all samples, its own among them: a factor (n - 1) / n."""
        whole = torch.stack([earned_of(policy, at).sum() for at in chosen])
        return [torch.full((2,), float(each), dtype=torch.float64) for each in whole - whole.mean()]

    found = mean_gradient(policy, reinforce, own_mean, 2)
    torch.testing.assert_close(-2 * found[0], exact[0], rtol=0, atol=1e-12)


@given(st.lists(st.floats(-3.0, 3.0), min_size=4, max_size=4), st.floats(0.05, 0.9), st.integers(0, 5))
def test_ppo_is_the_clipped_surrogate_token_by_token(moved, clip, seed) -> None:
    draw = torch.Generator().manual_seed(seed)
    old, worth = -torch.rand(4, generator=draw), torch.randn(4, generator=draw)
    logps = (old + torch.tensor(moved)).requires_grad_()
    prompt, sample = torch.zeros(2, dtype=torch.long), torch.tensor([0, 0, 0, 1])
    losses = ppo(SampleLogps(logps, old, worth, sample, torch.zeros(2), prompt), clip=clip)
    expected = [0.0, 0.0]
    for at, (d, a) in enumerate(zip(moved, worth.tolist(), strict=True)):
        expected[sample[at]] -= min(math.exp(d) * a, min(max(math.exp(d), 1 - clip), 1 + clip) * a)
    assert losses.tolist() == pytest.approx(expected, rel=1e-4, abs=1e-5)
    (gradient,) = torch.autograd.grad(losses.sum(), logps)
    for d, a, g in zip(moved, worth.tolist(), gradient.tolist(), strict=True):
        beyond = (a > 0 and math.exp(d) > 1 + clip + 1e-4) or (a < 0 and math.exp(d) < 1 - clip - 1e-4)
        if beyond:
            assert g == 0.0


REWARDS = st.lists(st.floats(-5.0, 5.0), min_size=1, max_size=5)


@given(st.lists(REWARDS, min_size=1, max_size=3), st.floats(0.05, 3.0), st.floats(-100.0, 100.0))
def test_reward_weights_are_a_softmax_by_prompt(rewards, beta, shift) -> None:
    """Whatever is added to a prompt's rewards; they sum to its number of samples, and none is negative."""
    count = [len(each) for each in rewards]
    logps = torch.zeros(sum(count), dtype=torch.float64, requires_grad=True)
    flat = torch.tensor([value + shift for each in rewards for value in each], dtype=torch.float64)
    prompt = torch.repeat_interleave(torch.arange(len(count)), torch.tensor(count))
    losses = reward_weighted(SampleLogps(logps, logps, logps, torch.arange(sum(count)), flat, prompt), beta=beta)
    (gradient,) = torch.autograd.grad(losses.sum(), logps)
    expected = [
        n * torch.tensor(each, dtype=torch.float64).div(beta).softmax(0) for n, each in zip(count, rewards, strict=True)
    ]
    torch.testing.assert_close(-gradient, torch.cat(expected), rtol=1e-9, atol=1e-12)


def test_reward_weighted_regression_on_the_references_samples_ends_at_the_penalised_optimum() -> None:
    """With many samples: at pi_ref exp(r / beta) / Z the expected gradient is 0 (here over all responses, weighted)."""
    policy = Enumerated(1)
    ref = policy.ref().sum(1)
    weights = (ref + policy.rewards / BETA).softmax(0)
    second = torch.stack([weights[3 * a : 3 * a + 3].log() for a in range(TOKENS)])
    first = second.logsumexp(1)
    best = _logps(first.requires_grad_(), second.requires_grad_())
    loss = -(weights * best.sum(1)).sum()
    for each in torch.autograd.grad(loss, [first, second]):
        torch.testing.assert_close(each, torch.zeros_like(each), rtol=0, atol=1e-12)


EARNED = st.lists(st.lists(st.floats(-5.0, 5.0), min_size=1, max_size=4), min_size=1, max_size=5)


@given(EARNED)
def test_leave_one_out_advantages_are_against_the_mean_of_the_others(earned) -> None:
    found = against_the_others([torch.tensor(each, dtype=torch.float64) for each in earned])
    for at, each in enumerate(found):
        others = [sum(other) for index, other in enumerate(earned) if index != at]
        expected = sum(earned[at]) - sum(others) / len(others) if others else 0.0
        assert each.tolist() == pytest.approx([expected] * len(earned[at]), abs=1e-9)
    assert sum(each[0].item() for each in found) == pytest.approx(0.0, abs=1e-9)


@given(st.floats(-3.0, 3.0), st.lists(st.tuples(st.floats(-9.0, 0.0), st.floats(-9.0, 0.0)), min_size=1, max_size=5))
def test_a_samples_tokens_earn_its_reward_less_the_penalty(reward, logps) -> None:
    old, ref = (torch.tensor(each, dtype=torch.float64) for each in zip(*logps, strict=True))
    earned = token_rewards(reward, old, ref, 0.5)
    assert earned.sum().item() == pytest.approx(reward - 0.5 * (old.sum() - ref.sum()).item())
    assert token_rewards(reward, ref, ref, 0.5).tolist() == [0.0] * (len(logps) - 1) + [reward]
    assert returns(earned)[0].item() == pytest.approx(earned.sum().item())
    assert returns(earned)[-1].item() == pytest.approx(earned[-1].item())


def test_a_value_head_learns_what_is_linear_and_judges_a_draw_before_it_learns_from_it() -> None:
    draw = torch.Generator().manual_seed(0)
    states, weights = torch.randn(400, 5, generator=draw), torch.randn(5, generator=draw)
    head = ValueHead(5)
    assert head.values(states[:3]).tolist() == [0.0] * 3
    for at in range(0, 400, 100):
        head.learn(states[at : at + 100], states[at : at + 100] @ weights + 2.0)
    assert (head.values(states) - states @ weights - 2.0).abs().max() < 0.1
    other = ValueHead(5)
    other.restore(head.state())
    assert torch.equal(other.values(states), head.values(states))


def test_every_objective_with_a_reward_can_be_configured() -> None:
    assert reward_objective_options() == {"reinforce": frozenset(), "ppo": {"clip"}, "reward_weighted": {"beta"}}
    assert reward_objective_options().keys() == REWARD_OBJECTIVES.keys()
