"""What a run learns from, and its loss: pairs, or samples with a reward."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from scripts.lib.chat import Encoded
from scripts.lib.config.training import Hyperparameters
from scripts.lib.objectives import PairLogps, implicit_rewards
from scripts.lib.objectives import with_options as of_pairs
from scripts.lib.reward_objectives import SampleLogps
from scripts.lib.reward_objectives import with_options as of_samples
from scripts.training.step import Lesson


@dataclass(frozen=True)
class Example:
    """A pair as token ids, with the reference policy's log-probability of each response, in nats.

    counts: whether it is learnt from; a pair that does not is measured, and its loss is 0.
    """

    chosen_id: str
    rejected_id: str
    chosen: Encoded
    rejected: Encoded
    ref_chosen: float
    ref_rejected: float
    counts: bool = True

    @property
    def tokens(self) -> int:
        """Tokens of both sequences, the prompt counted in each."""
        return len(self.chosen) + len(self.rejected)


@dataclass(frozen=True)
class Rollout:
    """The samples of one prompt, one or more, with what a scorer says of them.

    old, ref: log-probs (tokens,) of each sample under the policy that drew it and under the reference. advantages:
    (tokens,) of each sample. The chosen and the rejected are those with the highest and the lowest reward.
    """

    samples: tuple[Encoded, ...]
    rewards: tuple[float, ...]
    old: tuple[Tensor, ...]
    ref: tuple[Tensor, ...]
    advantages: tuple[Tensor, ...]

    @property
    def tokens(self) -> int:
        """Tokens of all sequences, the prompt counted in each."""
        return sum(map(len, self.samples))

    @property
    def best(self) -> int:
        """The number of the first sample with the highest reward."""
        return self.rewards.index(max(self.rewards))

    @property
    def worst(self) -> int:
        return self.rewards.index(min(self.rewards))

    @property
    def chosen(self) -> Encoded:
        return self.samples[self.best]

    @property
    def rejected(self) -> Encoded:
        return self.samples[self.worst]

    @property
    def ref_chosen(self) -> float:
        return float(self.ref[self.best].double().sum())

    @property
    def ref_rejected(self) -> float:
        return float(self.ref[self.worst].double().sum())


ROWS = 9
"""Of what is measured: loss, log-probability of the chosen and of the rejected response, their implicit rewards, their
log-probabilities under the reference, and their lengths."""


class PairLesson:
    """Pairs under an objective of objectives.py."""

    rows = ROWS

    def __init__(self, objective: Callable[[PairLogps], Tensor], spec: Hyperparameters) -> None:
        self.objective, self.spec = objective, spec
        self.both = uses_rejected(objective)

    def learnt(self, item: Example) -> list[Encoded]:
        return [item.chosen, item.rejected] if self.both else [item.chosen]

    def unlearnt(self, item: Example) -> list[Encoded]:
        return [] if self.both else [item.rejected]

    def measured(self, items: Sequence[Example], learnt: list[Tensor], unlearnt: list[Tensor]) -> Tensor:
        chosen, rejected = (learnt[::2], learnt[1::2]) if self.both else (learnt, unlearnt)
        logps = _pair_logps(items, *(torch.stack([each.sum() for each in side]) for side in (chosen, rejected)))
        losses = self.objective(logps) * torch.tensor(
            [float(each.counts) for each in items], device=logps.chosen.device
        )
        return _measured(losses, logps, self.spec)


class SampleLesson:
    """Rollouts under an objective of reward_objectives.py; the loss of a prompt is the mean over its samples."""

    rows = ROWS

    def __init__(self, objective: Callable[[SampleLogps], Tensor], spec: Hyperparameters) -> None:
        self.objective, self.spec = objective, spec

    def learnt(self, item: Rollout) -> list[Encoded]:
        return list(item.samples)

    def unlearnt(self, item: Rollout) -> list[Encoded]:
        return []

    def measured(self, items: Sequence[Rollout], learnt: list[Tensor], unlearnt: list[Tensor]) -> Tensor:
        counts = [len(each.samples) for each in items]
        losses = self.objective(_sample_logps(items, learnt))
        of_prompts = torch.stack([each.mean() for each in losses.split(counts)])
        pairs = zip(items, torch.stack([each.sum() for each in learnt]).split(counts), strict=True)
        best, worst = zip(*((of_item[item.best], of_item[item.worst]) for item, of_item in pairs), strict=True)
        logps = _pair_logps(items, torch.stack(best), torch.stack(worst))
        return _measured(of_prompts, logps, self.spec)


def lesson_of(spec: Hyperparameters) -> Lesson:
    """The lesson of a run."""
    if spec.has_reward:
        return SampleLesson(of_samples(spec.objective, spec.beta, spec.options), spec)
    return PairLesson(of_pairs(spec.objective, spec.beta, spec.options), spec)


def loss_at_reference(batch: Sequence[Example] | Sequence[Rollout], spec: Hyperparameters) -> float:
    """The mean loss of a policy that equals its reference: log 2 under DPO."""
    lesson = lesson_of(spec)
    if spec.has_reward:
        learnt, unlearnt = [each for item in batch for each in item.ref], []
    else:
        sides = [[torch.tensor([each.ref_chosen]), torch.tensor([each.ref_rejected])] for each in batch]
        chosen, rejected = (list(each) for each in zip(*sides, strict=True))
        learnt, unlearnt = ([each for both in sides for each in both], []) if lesson.both else (chosen, rejected)
    return lesson.measured(batch, learnt, unlearnt)[0].double().mean().item()


def uses_rejected(objective: Callable[[PairLogps], Tensor]) -> bool:
    """Whether an objective uses the rejected responses' log-probabilities."""
    ones = [torch.ones(1, requires_grad=True) for _ in range(2)]
    losses = objective(PairLogps(*ones, *[torch.ones(1)] * 4))
    return torch.autograd.grad(losses.sum(), ones[1], allow_unused=True)[0] is not None


def _pair_logps(items: Sequence[Example] | Sequence[Rollout], chosen: Tensor, rejected: Tensor) -> PairLogps:
    def column(values: list) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=chosen.device)

    return PairLogps(
        chosen=chosen,
        rejected=rejected,
        ref_chosen=column([each.ref_chosen for each in items]),
        ref_rejected=column([each.ref_rejected for each in items]),
        chosen_length=column([len(each.chosen.response_ids) for each in items]),
        rejected_length=column([len(each.rejected.response_ids) for each in items]),
    )


def _measured(losses: Tensor, logps: PairLogps, spec: Hyperparameters) -> Tensor:
    rewards = implicit_rewards(logps, spec.beta)
    given = logps.ref_chosen, logps.ref_rejected, logps.chosen_length, logps.rejected_length
    return torch.stack([losses, logps.chosen, logps.rejected, *rewards, *given])


def _sample_logps(items: Sequence[Rollout], logps: list[Tensor]) -> SampleLogps:
    device = logps[0].device

    def tokens(values: list[Tensor]) -> Tensor:
        return torch.cat(values).to(device)

    return SampleLogps(
        logps=tokens(logps),
        old=tokens([each for item in items for each in item.old]),
        advantages=tokens([each for item in items for each in item.advantages]),
        sample=torch.repeat_interleave(torch.tensor([len(each) for each in logps])).to(device),
        rewards=torch.tensor([each for item in items for each in item.rewards], device=device),
        prompt=torch.repeat_interleave(torch.tensor([len(item.samples) for item in items])).to(device),
    )
