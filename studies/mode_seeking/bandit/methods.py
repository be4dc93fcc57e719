"""The methods on their two axes: what each makes of a batch of samples. On-policy or not is a matter of the samples.

A batch has the responses to each prompt in falling order of their rewards. Its tensors are (runs, prompts, responses);
a method returns one loss per run, (runs,).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from scripts.lib import objectives
from scripts.lib.objectives import PairLogps
from studies.mode_seeking.bandit.spec import Bandit


@dataclass(frozen=True)
class Batch:
    """What a method sees. Log-probs: under the policy as it stands, under the one that sampled (old), and under the
    reference; None where not known yet, or not used.

    advantages: rewards less their mean over the run's batch, in its standard deviations.
    """

    rewards: Tensor
    advantages: Tensor
    old: Tensor | None = None
    reference: Tensor | None = None
    log_probs: Tensor | None = None

    def of(self, responses: list[int]) -> "Batch":
        """Some responses to every prompt, by their rank."""
        of = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return Batch(**{name: None if each is None else each[..., responses] for name, each in of.items()})


@dataclass(frozen=True)
class Method:
    """What a method minimises. ranks: the responses that it uses, None for all. uses: which of old and reference."""

    loss: Callable[[Batch, Bandit], Tensor]
    ranks: tuple[int, ...] | None = None
    uses: tuple[str, ...] = ()


def likelihood(batch: Batch, spec: Bandit) -> Tensor:
    """Maximum likelihood of the responses."""
    return -batch.log_probs.mean(dim=(1, 2))


def preferred(batch: Batch, spec: Bandit) -> Tensor:
    """Maximum likelihood of the preferred response of every pair: a response counts as often as it wins."""
    wins = (batch.rewards[..., :, None] > batch.rewards[..., None, :]).sum(dim=-1).float()
    return -(wins * batch.log_probs).sum(dim=(1, 2)) / wins.sum(dim=(1, 2)).clamp(min=1.0)


def reward_weighted(batch: Batch, spec: Bandit) -> Tensor:
    """Reward-weighted regression: weights exp(advantage / beta)."""
    return -((batch.advantages / spec.reward_beta).exp() * batch.log_probs).mean(dim=(1, 2))


def reinforce(batch: Batch, spec: Bandit) -> Tensor:
    return -(batch.advantages * batch.log_probs).mean(dim=(1, 2))


def ppo(batch: Batch, spec: Bandit) -> Tensor:
    """The clipped objective, with ratios of whole responses to the policy that sampled them."""
    ratio = (batch.log_probs - batch.old).exp()
    clipped = ratio.clamp(1 - spec.clip, 1 + spec.clip)
    return -torch.minimum(batch.advantages * ratio, batch.advantages * clipped).mean(dim=(1, 2))


def dpo(batch: Batch, spec: Bandit) -> Tensor:
    return over_pairs(batch, lambda pairs: objectives.dpo(pairs, beta=spec.dpo_beta))


def ipo(batch: Batch, spec: Bandit) -> Tensor:
    return over_pairs(batch, lambda pairs: objectives.ipo(pairs, eta=spec.ipo_eta))


def over_pairs(batch: Batch, objective: Callable[[PairLogps], Tensor]) -> Tensor:
    """The mean loss of all pairs of a prompt's responses whose rewards differ."""
    first, second = torch.triu_indices(batch.rewards.shape[-1], batch.rewards.shape[-1], offset=1)
    logps, reference = batch.log_probs, batch.reference
    length = torch.ones(())
    losses = objective(
        PairLogps(logps[..., first], logps[..., second], reference[..., first], reference[..., second], length, length)
    )
    differ = (batch.rewards[..., first] > batch.rewards[..., second]).float()
    return (differ * losses).sum(dim=(1, 2)) / differ.sum(dim=(1, 2)).clamp(min=1.0)


def best_less_worst(batch: Batch, spec: Bandit) -> Tensor:
    """Best-of-n with a negative term: the likelihood of the best less a part of that of the worst."""
    best, worst = batch.log_probs.unbind(dim=-1)
    return -(best - spec.negative_weight * worst).mean(dim=1)


METHODS = {
    "best_of_n": Method(likelihood, (0,)),
    "preferred": Method(preferred),
    "reward_weighted": Method(reward_weighted),
    "reinforce": Method(reinforce),
    "ppo": Method(ppo, uses=("old",)),
    "dpo": Method(dpo, uses=("reference",)),
    "ipo": Method(ipo, uses=("reference",)),
    "best_less_worst": Method(best_less_worst, (0, -1)),
}
"""By their names in layout.py."""
