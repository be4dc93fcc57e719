"""The reference: a policy fitted to a heavy-tailed distribution over tokens, as the authors' code does."""

import numpy as np
import torch
from scipy.stats import cauchy
from torch import Tensor

from studies.mode_seeking.bandit.policy import Parameters, logits_of, sample

LOCATION, SCALE = -0.7, 0.4
STEPS, LEARNING_RATE = 100, 0.01
PROMPTS = 10
"""Prompts of a step. The authors' code takes one."""


def heavy_tailed(tokens: int) -> Tensor:
    """The probabilities (tokens,) of tanh of a Cauchy variable in equal bins of [-1, 1]; exact, theirs are of draws."""
    edges = np.linspace(-1.0, 1.0, tokens + 1)
    with np.errstate(divide="ignore"):
        below = cauchy.cdf(np.arctanh(edges), LOCATION, SCALE)
    return torch.tensor(np.diff(below), dtype=torch.float32)


def fitted(parameters: Parameters, heads: int, length: int, generators: list[torch.Generator]) -> Parameters:
    """Descent on the KL divergence from the target of what the policy draws each token from, on its own samples.

    This is a reverse KL, and the reference keeps less of the tails than the target has.
    """
    tokens = parameters["token"].shape[1]
    target = heavy_tailed(tokens).log()
    learnt = {name: each.clone().requires_grad_() for name, each in parameters.items()}
    optimiser = torch.optim.Adam(learnt.values(), lr=LEARNING_RATE)
    for _ in range(STEPS):
        prompts = torch.stack([torch.randint(tokens, (PROMPTS,), generator=each) for each in generators])
        uniform = torch.stack([torch.rand(PROMPTS, length, generator=each) for each in generators])
        sequences, _ = sample(learnt, heads, prompts, uniform)
        logits, _ = logits_of(learnt, heads, sequences[..., :-1])
        log_chances = logits.log_softmax(dim=-1)
        loss = (log_chances.exp() * (log_chances - target)).sum(dim=(-2, -1)).mean(dim=1)
        optimiser.zero_grad()
        loss.sum().backward()
        optimiser.step()
    return {name: each.detach() for name, each in learnt.items()}
