"""What a sample is worth: its reward less the KL penalty, against a baseline. Both leave the gradient unbiased.

The objective is "3D-Properties", eq. 3: E[ r(x, y) - beta log(pi_theta(y|x) / pi_ref(y|x)) ].
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

RIDGE = 1.0
"""Weight of the value head's squared weights, against one squared error per token."""

MEMORY = 0.9
"""What older samples count in the value head's fit, per draw since."""


def token_rewards(reward: float, old: Tensor, ref: Tensor, beta: float) -> Tensor:
    """What each token (tokens,) earns: the KL penalty, and the last one the sample's reward as well.

    old, ref: log-probs (tokens,) under the policy that drew the sample and under the reference. The sum is
    reward - beta log(pi_old / pi_ref).
    """
    earned = -beta * (old - ref)
    earned[-1] += reward
    return earned


def returns(earned: Tensor) -> Tensor:
    """What each token and all that follow it earn, (tokens,)."""
    return earned.flip(0).cumsum(0).flip(0)


def against_the_others(earned: Sequence[Tensor]) -> list[Tensor]:
    """Advantages (tokens,) of the samples of one prompt: a sample's whole return less the mean of the others' (RLOO).

    The same for all tokens of a sample. They sum to 0 over the samples; a sample that has no others has 0.
    """
    whole = [each.sum() for each in earned]
    total, others = sum(whole), max(1, len(whole) - 1)
    return [
        torch.full_like(each, float(mine - (total - mine) / others)) if len(whole) > 1 else torch.zeros_like(each)
        for each, mine in zip(earned, whole, strict=True)
    ]


class ValueHead:
    """A linear value head on the hidden states of the run's start: the expected return of a token and what follows it.

    It is fitted in closed form, by ridge regression on the returns of all draws so far, recent ones more. A draw is
    judged by the fit before it, so that its own returns do not enter its baseline.
    """

    def __init__(self, hidden: int) -> None:
        self.gram = torch.zeros(hidden + 1, hidden + 1, dtype=torch.float64)
        self.moment = torch.zeros(hidden + 1, dtype=torch.float64)
        self.weights: Tensor | None = None

    def values(self, states: Tensor) -> Tensor:
        """The expected return (tokens,) given hidden states (tokens, hidden) before each token; 0 before any fit."""
        if self.weights is None:
            ridge = RIDGE * torch.eye(len(self.moment), dtype=torch.float64)
            self.weights = torch.linalg.solve(self.gram + ridge, self.moment)
        return (_with_one(states) @ self.weights).float()

    def learn(self, states: Tensor, found: Tensor) -> None:
        """Take in a draw: hidden states (tokens, hidden) and returns (tokens,)."""
        features = _with_one(states)
        self.gram = MEMORY * self.gram + features.t() @ features
        self.moment = MEMORY * self.moment + features.t() @ found.double().cpu()
        self.weights = None

    def state(self) -> dict[str, Any]:
        return {"gram": self.gram, "moment": self.moment}

    def restore(self, state: dict[str, Any]) -> None:
        self.gram, self.moment, self.weights = state["gram"], state["moment"], None


def _with_one(states: Tensor) -> Tensor:
    states = states.double().cpu()
    return torch.cat([states, torch.ones(len(states), 1, dtype=torch.float64)], dim=1)
