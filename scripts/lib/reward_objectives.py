"""Objectives with a reward: the loss that a run minimises, from samples of the policy and what a scorer says of them.

A new objective is a function here under ``@objective``, as in objectives.py. All are of a response as one action: its
log-probability is the sum over its tokens, so that the gradient's expectation is that of the expected reward.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from scripts.lib.config.base import Positive
from scripts.lib.objectives import bound


@dataclass(frozen=True)
class SampleLogps:
    """What an objective sees of the samples of some prompts. Tensors are (tokens,), sample after sample, or (samples,).

    logps: log pi_theta of every token, in nats. old: the same under the policy that drew the samples; constants.
    advantages: of every token: what the sample's reward, less the KL penalty, is above a baseline; constants.
    sample: of every token, the number of its sample. rewards: of every sample, by the scorer alone. prompt: of every
    sample, the number of its prompt.
    """

    logps: Tensor
    old: Tensor
    advantages: Tensor
    sample: Tensor
    rewards: Tensor
    prompt: Tensor

    def per_sample(self, values: Tensor) -> Tensor:
        """The sum (samples,) of values (tokens,) over each sample's tokens."""
        return values.new_zeros(len(self.rewards)).index_add(0, self.sample, values)


RewardObjective = Callable[..., Tensor]

REWARD_OBJECTIVES: dict[str, RewardObjective] = {}
"""Name -> ``objective(samples, **options) -> losses (samples,)``; a step's loss is the mean of its prompts' means."""


def objective(function: RewardObjective) -> RewardObjective:
    """Register an objective under its function's name. Its options are floats with defaults."""
    REWARD_OBJECTIVES[function.__name__] = function
    return function


def with_options(name: str, beta: float, options: Mapping[str, float]) -> Callable[[SampleLogps], Tensor]:
    """The objective ``name`` as a function of the samples; ``beta`` is passed to those that take it."""
    return bound(REWARD_OBJECTIVES[name], beta, options)


@objective
def reinforce(samples: SampleLogps) -> Tensor:
    """REINFORCE: the loss (samples,) of each sample: -sum_t A_t log pi_theta(y_t | x, y_<t).

    Williams 1992. With the leave-one-out baseline this is RLOO (Kool et al. 2019; Ahmadian et al. 2024, "Back to
    Basics", eq. 8). Samples that are used for several steps keep their weights: the gradient is then biased.
    """
    return -samples.per_sample(samples.advantages * samples.logps)


@objective
def ppo(samples: SampleLogps, clip: Positive = 0.2) -> Tensor:
    """Proximal policy optimisation: the clipped surrogate loss (samples,) of each sample.

    -sum_t min( r_t A_t, min(max(r_t, 1 - clip), 1 + clip) A_t ), r_t = pi_theta(y_t | x, y_<t) / pi_old(y_t | x, y_<t)

    Schulman et al. 2017, eq. 7, summed over the response's tokens, not averaged: at pi_theta = pi_old its gradient is
    that of ``reinforce``.
    """
    ratio = (samples.logps - samples.old).exp()
    clipped = ratio.clamp(1 - clip, 1 + clip)
    return -samples.per_sample(torch.minimum(ratio * samples.advantages, clipped * samples.advantages))


@objective
def reward_weighted(samples: SampleLogps, beta: Positive = 0.1) -> Tensor:
    """Reward-weighted regression: the loss (samples,) of each sample, which never lowers one: -w log pi_theta(y | x).

    w = n exp(r / beta) / sum over the prompt's n samples of exp(r / beta)

    Peters and Schaal 2007, with each prompt's normaliser estimated from its samples. On samples of the reference its
    optimum is pi_ref exp(r / beta) / Z, that of the KL-penalised reward ("3D-Properties", eq. 3). No baseline is used.
    """
    prompts = int(samples.prompt.max()) + 1
    scaled = samples.rewards / beta
    largest = scaled.new_full((prompts,), -torch.inf).scatter_reduce(0, samples.prompt, scaled, "amax")
    weights = (scaled - largest[samples.prompt]).exp()
    sums = weights.new_zeros(prompts).index_add(0, samples.prompt, weights)
    counts = weights.new_zeros(prompts).index_add(0, samples.prompt, torch.ones_like(weights))
    weights = weights * (counts / sums)[samples.prompt]
    return -weights * samples.per_sample(samples.logps)
