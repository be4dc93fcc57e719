"""Training: all runs of one method side by side.

A run is a seed, an optimum, where its samples come from, a learning rate, and how log-probs are read. Samples come from

every step   the policy, again before each gradient step
reuse T      the policy, before every T-th
offline      the reference, before training: as many batches as `reuse` with T = offline_reuse draws, in turn

Seeds decide the reference, the prompts and the numbers behind the tokens; they are common to the runs of a seed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import torch
from torch import Tensor

from scripts.lib.ids import seed_of
from studies.mode_seeking.bandit.methods import Batch, Method
from studies.mode_seeking.bandit.policy import Parameters, initial, log_probs, sample
from studies.mode_seeking.bandit.reference import fitted
from studies.mode_seeking.bandit.spec import Bandit


@dataclass(frozen=True)
class Run:
    """reuse: gradient steps for which a batch is used. on_policy: whether the policy draws it, or the reference."""

    seed: int
    optimum: str
    on_policy: bool
    reuse: int
    learning_rate: float
    shifted: bool


def runs_of(spec: Bandit) -> list[Run]:
    """All runs of a method; as the authors' code reads log-probs, those without reuse of own samples alone."""
    sources = [(False, spec.offline_reuse, True), *((True, reuse, True) for reuse in spec.reuse)]
    if spec.unshifted:
        sources += [(False, spec.offline_reuse, False), (True, 1, False)]
    return [
        Run(seed, optimum, on_policy, reuse, rate, shifted)
        for seed, optimum, (on_policy, reuse, shifted), rate in product(
            spec.seeds, spec.optima, sources, spec.learning_rates
        )
    ]


def rewards_of(spec: Bandit, optimum: str) -> Tensor:
    """The reward (tokens,) of each token."""
    at = torch.arange(spec.tokens, dtype=torch.float32)
    return (-(((at - spec.optima[optimum]) / spec.scale) ** 2)).exp()


def generators(spec: Bandit, part: str) -> list[torch.Generator]:
    """One per seed."""
    return [torch.Generator().manual_seed(seed_of("mode seeking bandit", part, seed)) for seed in spec.seeds]


def references(spec: Bandit) -> Parameters:
    """The fitted reference of every seed, (seeds, ...)."""
    drawn = generators(spec, "reference")
    return fitted(initial(spec.tokens, spec.length, spec.layers, spec.width, drawn), spec.heads, spec.length, drawn)


class Training:
    """Some runs of one method side by side, alike in where their samples come from and how log-probs are read."""

    def __init__(self, spec: Bandit, method: Method, runs: list[Run], start: Parameters) -> None:
        self.spec, self.method, self.runs = spec, method, runs
        self.on_policy, self.reuse, self.shifted = runs[0].on_policy, runs[0].reuse, runs[0].shifted
        self.of_seed = torch.tensor([spec.seeds.index(run.seed) for run in runs])
        self.token_rewards = torch.stack([rewards_of(spec, run.optimum) for run in runs])
        self.reference = {name: each[self.of_seed] for name, each in start.items()}
        self.policy = {name: each.clone().requires_grad_() for name, each in self.reference.items()}
        self.adam = Adam(self.policy, torch.tensor([run.learning_rate for run in runs]))
        self._draws = generators(spec, "samples")
        self._measures = generators(spec, "measurements")

    def sampled(self, policy: Parameters) -> tuple[Tensor, Batch]:
        """Samples of a policy, (runs, prompts, responses, 1 + length), best first, and what is known of them."""
        spec = self.spec
        count = spec.prompts * spec.samples
        prompts = torch.stack([torch.randint(spec.tokens, (spec.prompts,), generator=each) for each in self._draws])
        uniform = torch.stack([torch.rand(count, spec.length, generator=each) for each in self._draws])
        prompts = prompts.repeat_interleave(spec.samples, dim=1)
        sequences, _ = sample(policy, spec.heads, prompts[self.of_seed], uniform[self.of_seed])
        sequences = sequences.unflatten(1, (spec.prompts, spec.samples))
        rewards = self.token_rewards.gather(1, sequences[..., 1:].flatten(1)).view_as(sequences[..., 1:]).mean(dim=-1)
        rewards, order = rewards.sort(dim=-1, descending=True, stable=True)
        sequences = sequences.gather(2, order[..., None].expand_as(sequences))
        centred = rewards - rewards.mean(dim=(1, 2), keepdim=True)
        advantages = centred / (centred.square().mean(dim=(1, 2), keepdim=True).sqrt() + 1e-8)
        ranks = list(range(spec.samples)) if self.method.ranks is None else list(self.method.ranks)
        sequences = sequences[:, :, ranks]
        of = {"old": policy, "reference": self.reference}
        with torch.no_grad():
            known = {name: self.log_probs(of[name], sequences) for name in self.method.uses}
        return sequences, Batch(rewards[..., ranks], advantages[..., ranks], **known)

    def log_probs(self, policy: Parameters, sequences: Tensor) -> Tensor:
        return log_probs(policy, self.spec.heads, sequences.flatten(1, 2), self.shifted).view(sequences.shape[:3])

    def measured(self) -> Tensor:
        """The expected reward (runs,) of the policies, on prompts and numbers that are common to all runs of a seed."""
        spec = self.spec
        prompts = torch.stack([torch.randint(spec.tokens, (spec.evaluated_on,), generator=g) for g in self._measures])
        uniform = torch.stack([torch.rand(spec.evaluated_on, spec.length, generator=g) for g in self._measures])
        _, chances = sample(self.policy, spec.heads, prompts[self.of_seed], uniform[self.of_seed])
        return (chances.mean(dim=1) * self.token_rewards).sum(dim=-1)

    def steps(self) -> Iterator[tuple[int, int, Tensor]]:
        """(gradient steps, samples drawn, expected reward of each run): before training, and as often as configured."""
        spec = self.spec
        per_batch = spec.prompts * spec.samples
        offline = [] if self.on_policy else [self.sampled(self.reference) for _ in range(spec.steps // self.reuse)]
        drawn = len(offline) * per_batch
        yield 0, drawn, self.measured()
        for step in range(spec.steps):
            if offline:
                sequences, batch = offline[step % len(offline)]
            elif step % self.reuse == 0:
                sequences, batch = self.sampled(self.policy)
                drawn += per_batch
            self.step(sequences, batch)
            if (step + 1) % spec.evaluated_every == 0:
                yield step + 1, drawn, self.measured()

    def step(self, sequences: Tensor, batch: Batch) -> None:
        now = self.log_probs(self.policy, sequences)
        loss = self.method.loss(replace(batch, log_probs=now), self.spec)
        self.adam.step(torch.autograd.grad(loss.sum(), list(self.policy.values())))


class Adam:
    """torch's Adam with a learning rate for each run, which torch's own has not."""

    def __init__(self, parameters: Parameters, rates: Tensor, betas: tuple[float, float] = (0.9, 0.999)) -> None:
        self.parameters, self.rates, self.betas, self.steps = list(parameters.values()), rates, betas, 0
        self.first = [torch.zeros_like(each) for each in self.parameters]
        self.second = [torch.zeros_like(each) for each in self.parameters]

    @torch.no_grad()
    def step(self, gradients: tuple[Tensor, ...]) -> None:
        self.steps += 1
        one, two = self.betas
        for each, gradient, first, second in zip(self.parameters, gradients, self.first, self.second, strict=True):
            first.mul_(one).add_(gradient, alpha=1 - one)
            second.mul_(two).addcmul_(gradient, gradient, value=1 - two)
            scale = (second / (1 - two**self.steps)).sqrt_().add_(1e-8)
            rate = self.rates.view(-1, *[1] * (each.dim() - 1)) / (1 - one**self.steps)
            each.sub_(rate * first / scale)
