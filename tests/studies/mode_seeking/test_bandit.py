"""The bandit's estimators against exact expectations, on one small enough to enumerate, and its gradients."""

import itertools
from dataclasses import fields, replace

import pytest
import torch

from studies.mode_seeking.bandit import layout, pairs
from studies.mode_seeking.bandit.methods import METHODS, Batch
from studies.mode_seeking.bandit.pairs import like
from studies.mode_seeking.bandit.policy import initial, log_probs, logits_of, sample
from studies.mode_seeking.bandit.reference import heavy_tailed
from studies.mode_seeking.bandit.runs import Adam, Run, Training, generators, references, rewards_of, runs_of
from studies.mode_seeking.bandit.spec import Bandit
from studies.mode_seeking.bandit.train import trained

SMALL = Bandit(
    tokens=3,
    length=2,
    optima={"far": 2.0, "near": 0.0},
    scale=1.0,
    seeds=[0, 1],
    layers=2,
    heads=2,
    width=8,
    prompts=2,
    samples=4,
    steps=4,
    reuse=[1, 2],
    offline_reuse=2,
    learning_rates=[0.01, 0.1],
    evaluated_every=2,
    evaluated_on=4,
)
RESPONSES = torch.tensor(list(itertools.product(range(3), repeat=2)))


@pytest.fixture(scope="module")
def policies():
    """Two policies that are far from uniform, in float64."""
    drawn = initial(3, 2, 2, 8, generators(SMALL, "test"))
    return {name: each.double() * (8.0 if "norm" not in name else 1.0) for name, each in drawn.items()}


def every(prompt: int) -> torch.Tensor:
    """Every sequence (runs, 9, 3) that begins with a prompt."""
    return torch.cat([torch.full((9, 1), prompt), RESPONSES], dim=1).expand(2, -1, -1)


def of_run(policies, run: int):
    return {name: each[run : run + 1] for name, each in policies.items()}


def test_shifted_log_probs_are_those_of_a_distribution_and_unshifted_ones_are_not(policies) -> None:
    for prompt in range(3):
        total = log_probs(policies, 2, every(prompt)).exp().sum(dim=1)
        torch.testing.assert_close(total, torch.ones_like(total))
        wrong = log_probs(policies, 2, every(prompt), shifted=False).exp().sum(dim=1)
        assert (wrong - 1).abs().min() > 0.01


def test_unshifted_log_probs_read_a_token_where_it_is_the_input(policies) -> None:
    sequences = every(1)
    logits, _ = logits_of(policies, 2, sequences)
    expected = sum(
        logits[..., at, :].log_softmax(dim=-1).gather(-1, sequences[..., at, None])[..., 0] for at in range(3)
    )
    torch.testing.assert_close(log_probs(policies, 2, sequences, shifted=False), expected)


def test_samples_have_the_frequencies_of_the_shifted_log_probs(policies) -> None:
    n = 40_000
    uniform = torch.rand(2, n, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    sequences, _ = sample(policies, 2, torch.ones(2, n, dtype=torch.long), uniform)
    found = torch.stack([torch.bincount(each[:, 1] * 3 + each[:, 2], minlength=9) for each in sequences]) / n
    chances = log_probs(policies, 2, every(1)).exp()
    assert ((found - chances).abs() <= 5 * (chances * (1 - chances) / n).sqrt() + 1e-9).all()


def test_the_measured_reward_is_the_expected_one(policies) -> None:
    """By enumeration; the estimate has less noise than the mean reward of the same samples."""
    n, rewards = 20_000, rewards_of(SMALL, "far").double()
    uniform = torch.rand(2, n, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sequences, chances = sample(policies, 2, torch.ones(2, n, dtype=torch.long), uniform)
    exact = (log_probs(policies, 2, every(1)).exp() * rewards[RESPONSES].mean(dim=1)).sum(dim=1)
    each, plain = (chances * rewards).sum(dim=-1), rewards[sequences[..., 1:]].mean(dim=-1)
    assert ((each.mean(dim=1) - exact).abs() < 5 * each.std(dim=1) / n**0.5).all()
    assert (each.std(dim=1) < plain.std(dim=1)).all()


def test_the_cache_changes_nothing_and_runs_do_not_touch_each_other(policies) -> None:
    sequences = every(2)
    whole, _ = logits_of(policies, 2, sequences)
    past, parts = None, []
    for at in range(3):
        logits, past = logits_of(policies, 2, sequences[..., at, None], past)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, dim=2), whole)
    for run in range(2):
        alone, _ = logits_of(of_run(policies, run), 2, sequences[run : run + 1])
        torch.testing.assert_close(alone[0], whole[run])


def test_reinforce_ascends_the_expected_reward(policies) -> None:
    """Its gradient, averaged over all responses with their probabilities, is that of the exact expectation."""
    rewards = rewards_of(SMALL, "near").double()[RESPONSES].mean(dim=1)
    learnt = {name: each.clone().requires_grad_() for name, each in policies.items()}
    logps = log_probs(learnt, 2, every(0))
    exact = torch.autograd.grad((logps.exp() * rewards).sum(), list(learnt.values()), retain_graph=True)
    chances = logps.detach().exp()
    baseline = (chances * rewards).sum(dim=1, keepdim=True)
    weighted = (9 * chances * (rewards - baseline))[:, None]  # the method takes the mean of nine responses
    batch = Batch(rewards.expand(2, 1, -1), weighted, log_probs=logps[:, None])
    found = torch.autograd.grad(METHODS["reinforce"].loss(batch, SMALL).sum(), list(learnt.values()))
    for one, other in zip(found, exact, strict=True):
        torch.testing.assert_close(one, -other)


def batch_of(logps: torch.Tensor, seed: int = 0) -> Batch:
    """A batch of random rewards, best first, with a tie, around some log-probs (runs, prompts, responses)."""
    drawn = torch.Generator().manual_seed(seed)
    rewards = torch.rand(logps.shape, generator=drawn, dtype=logps.dtype).sort(dim=-1, descending=True)[0]
    rewards[..., 1] = rewards[..., 2]
    centred = rewards - rewards.mean(dim=(1, 2), keepdim=True)
    old, reference = (logps.detach() + torch.randn(logps.shape, generator=drawn, dtype=logps.dtype) for _ in range(2))
    return Batch(rewards, centred / centred.std(), old, reference, logps)


def by_hand(name: str, batch: Batch, spec: Bandit) -> float:
    """The loss of one run, one response or pair at a time."""
    rewards, advantages, old, ref, now = (getattr(batch, each.name)[0].tolist() for each in fields(Batch))
    losses = []
    for p, own in enumerate(rewards):
        pairs = [(i, j) for i in range(len(own)) for j in range(len(own)) if own[i] > own[j]]
        for i, a in enumerate(advantages[p]):
            ratio = torch.tensor(now[p][i] - old[p][i]).exp().item()
            clipped = min(max(ratio, 1 - spec.clip), 1 + spec.clip)
            weight = {
                "reward_weighted": torch.tensor(a / spec.reward_beta).exp().item(),
                "reinforce": a,
            }.get(name)
            if weight is not None:
                losses.append(-weight * now[p][i])
            if name == "ppo":
                losses.append(-min(a * ratio, a * clipped))
        for i, j in pairs:
            h = now[p][i] - ref[p][i] - now[p][j] + ref[p][j]
            if name == "dpo":
                losses.append(-torch.nn.functional.logsigmoid(torch.tensor(spec.dpo_beta * h)).item())
            if name == "ipo":
                losses.append((h - 1 / (2 * spec.ipo_eta)) ** 2)
            if name == "preferred":
                losses.append(-now[p][i])
        if name == "best_of_n":
            losses.append(-now[p][0])
        if name == "best_less_worst":
            losses.append(-now[p][0] + spec.negative_weight * now[p][-1])
    return sum(losses) / len(losses)


@pytest.mark.parametrize("name", METHODS)
def test_losses_are_those_computed_by_hand_and_move_as_their_kind_says(name) -> None:
    logps = -torch.rand(2, 2, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    logps.requires_grad_()
    whole = batch_of(logps)
    method = METHODS[name]
    seen = whole if method.ranks is None else whole.of(list(method.ranks))
    loss = method.loss(seen, SMALL)
    assert loss.shape == (2,)
    assert loss[0].item() == pytest.approx(by_hand(name, whole, SMALL), rel=1e-5)
    # At the sampler, without clipping: a negative gradient lowers some responses' likelihood, the others lower none.
    level = replace(seen, old=seen.log_probs.detach())
    (slope,) = torch.autograd.grad(method.loss(level, SMALL).sum(), logps)
    assert (slope > 1e-9).any().item() == layout.METHODS[name].negative
    assert torch.autograd.gradcheck(
        lambda x: method.loss(replace(whole, log_probs=x).of(list(method.ranks or range(4))), SMALL), logps
    )


def test_adam_is_torch_s_with_a_rate_for_each_run() -> None:
    drawn = torch.Generator().manual_seed(5)
    start, rates = torch.randn(2, 3, generator=drawn), [0.01, 0.1]
    mine = {"x": start.clone()}
    ours = Adam(mine, torch.tensor(rates))
    theirs = [start[run].clone().requires_grad_() for run in range(2)]
    optimisers = [torch.optim.Adam([each], lr=rate) for each, rate in zip(theirs, rates, strict=True)]
    for _ in range(5):
        gradient = torch.randn(2, 3, generator=drawn)
        ours.step((gradient,))
        for each, optimiser, own in zip(theirs, optimisers, gradient, strict=True):
            each.grad = own.clone()
            optimiser.step()
    torch.testing.assert_close(mine["x"], torch.stack([each.detach() for each in theirs]))


def test_the_target_of_the_reference_is_heavy_tailed_around_its_mode() -> None:
    target = heavy_tailed(100)
    assert target.sum().item() == pytest.approx(1, abs=1e-5) and (target > 0).all()
    assert abs(target[1:-1].argmax().item() - 20) <= 6  # tanh moves the mode of the density
    assert target[10:30].sum() > 10 * target[60:80].sum()
    assert target[-1] > target[-10]  # tanh folds the tail of the Cauchy distribution into the last bin


def test_sampling_is_as_fresh_as_the_run_says() -> None:
    """Samples are counted as drawn, offline before training; a seed's first samples are common to its runs."""
    assert len(runs_of(SMALL)) == 2 * 2 * (3 + 2) * 2
    start = references(SMALL)
    counts = {}
    for on_policy, reuse in ((False, 2), (True, 1), (True, 2)):
        training = Training(SMALL, METHODS["dpo"], [Run(0, "far", on_policy, reuse, 0.01, True)], start)
        counts[on_policy, reuse] = [samples for _, samples, _ in training.steps()]
    assert counts == {(False, 2): [16, 16, 16], (True, 1): [0, 16, 32], (True, 2): [0, 8, 16]}


def test_a_run_does_not_depend_on_the_runs_beside_it() -> None:
    start = references(SMALL)
    runs = [Run(seed, "far", True, 1, rate, True) for seed in (0, 1) for rate in (0.01, 0.1)]
    together = list(Training(SMALL, METHODS["ppo"], runs, start).steps())[-1][2]
    for at, run in enumerate(runs):
        alone = list(Training(SMALL, METHODS["ppo"], [run], start).steps())[-1][2]
        torch.testing.assert_close(alone[0], together[at], rtol=1e-4, atol=1e-5)


def test_training_raises_the_reward_and_repeats_itself() -> None:
    spec = SMALL.model_copy(update={"steps": 20, "evaluated_every": 20, "unshifted": False})
    rows = trained(spec, "reinforce")
    assert rows == trained(spec, "reinforce")
    gains = [
        last["reward"] - first["reward"]
        for first, last in zip(_at(rows, 0), _at(rows, 20), strict=True)
        if first["learning_rate"] == 0.1 and first["on_policy"]
    ]
    assert len(gains) == 8 and min(gains) > 0.1


def _at(rows, step):
    return [row for row in rows if row["step"] == step]


def test_the_layout_names_the_methods() -> None:
    assert list(METHODS) == list(layout.METHODS)


def test_rejected_responses_differ_in_exactly_so_many_tokens() -> None:
    drawn = torch.Generator().manual_seed(4)
    chosen, other = (torch.randint(5, (40, 6), generator=drawn) for _ in range(2))
    for different in range(7):
        rejected = like(chosen, other, different, 5, torch.rand(40, 6, generator=drawn))
        assert ((rejected != chosen).sum(dim=1) == different).all()
        assert ((rejected >= 0) & (rejected < 5)).all()


def test_dpo_on_fixed_pairs_widens_the_margin_of_every_seed_and_number_of_tokens() -> None:
    spec = SMALL.model_copy(update={"differ": [1, 2], "steps": 20, "evaluated_every": 10})
    rows = pairs.trained(spec)
    assert [(row["different"], row["seed"], row["step"]) for row in rows[:4]] == [
        (1, 0, 0),
        (1, 1, 0),
        (2, 0, 0),
        (2, 1, 0),
    ]
    assert all(row["chosen"] == row["rejected"] == 0 for row in rows if row["step"] == 0)
    margins = [row["chosen"] - row["rejected"] for row in rows if row["step"] == 20]
    assert len(margins) == 4 and min(margins) > 0.01
