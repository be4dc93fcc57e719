"""Theorem 4.5, checked: the gradient of DPO if the policy itself draws the rejected."""

from collections.abc import Callable

import torch
from torch import Tensor

from studies.what_matters.theory import tabular
from studies.what_matters.theory.claims import Row
from studies.what_matters.theory.instances import ALIKE, HALVINGS, MOSTLY, ORDER, RESPONSES, Draws, order

BETA, LARGEST_BETA = 0.1, 0.2
TRAINING_STEPS = 10
EXPANSION = "Theorem 4.5, its expansion: with A.3's middle term kept, online DPO's gradient is that of SFT plus KL"
STATED = "Theorem 4.5, as stated: the middle term is a number, epsilon_beta, times SFT's gradient"
NEAR = "Theorem 4.5, its approximation: online DPO's gradient is nearly that of SFT plus KL"
FAR = "Theorem 4.5, its approximation far from the reference: the same with log-ratios of ten nats"
SIGN = "Theorem 4.5, the sign of epsilon_beta: likely positive, policies at random"
TRAINED = "Theorem 4.5, the sign of epsilon_beta in training: likely positive, policies that online DPO reached"


class Online:
    """The gradients (instances, n), with respect to the logits, in the theorem."""

    def __init__(self, logits: Tensor, chosen: Tensor, reference: Tensor) -> None:
        self._at = (logits, chosen, reference)
        self.sft = tabular.sft_gradient(logits, chosen)
        self.kl = tabular.divergence_gradient(logits, reference)
        self.middle = tabular.middle_gradient(logits, chosen, reference)

    def dpo(self, beta: float) -> Tensor:
        return tabular.online_gradient(*self._at, beta)

    def error(self, beta: float) -> Tensor:
        """The gradient minus the theorem's approximation, SFT plus KL."""
        return self.dpo(beta) - beta / 2 * (self.sft + beta / 2 * self.kl)

    def remainder(self, beta: float) -> Tensor:
        """The remainder with the middle term as in A.3."""
        return self.error(beta) - beta**2 / 4 * self.middle

    def remainder_of_number(self, beta: float) -> Tensor:
        """The remainder with the best multiple of SFT's gradient in place of the middle term."""
        error = self.error(beta)
        return error - self._along_sft(error) * self.sft

    def epsilon(self, beta: float) -> Tensor:
        """epsilon_beta (instances, 1): the multiple of SFT's gradient, times beta, nearest to the middle term."""
        return beta / 4 * self._along_sft(self.middle)

    def cosine(self, beta: float) -> Tensor:
        return torch.cosine_similarity(self.dpo(beta), self.sft, dim=-1)

    def _along_sft(self, vector: Tensor) -> Tensor:
        return (vector * self.sft).sum(dim=-1, keepdim=True) / self.sft.square().sum(dim=-1, keepdim=True)


def at_random(seed: int, nats: float) -> Online:
    """Policies whose log-ratios to the reference, before normalisation, have a standard deviation of ``nats``."""
    draws = Draws("online", seed)
    chosen, reference = draws.policy(), draws.policy()
    return Online(reference + nats * draws.normal(RESPONSES), chosen, reference)


def in_training(seed: int) -> Online:
    """Policies on the way from the reference to the chosen: near the reference, a step goes half of the way."""
    draws = Draws("training", seed)
    chosen, reference = draws.policy(), draws.policy()
    logits = reference
    for _ in range(TRAINING_STEPS):
        logits = logits - tabular.online_gradient(logits, chosen, reference, BETA) / BETA
    return Online(logits, chosen, reference)


def online(seed: int) -> list[Row]:
    """The rows for the theorem."""
    near, far, trained = at_random(seed, 1.0), at_random(seed, 10.0), in_training(seed)

    def order_of(error: Callable[[float], Tensor]) -> float:
        return order([LARGEST_BETA * half for half in HALVINGS], error)

    def cosines(statement: str, instances: Online) -> list[Row]:
        return [
            Row(
                statement,
                f"cosine with SFT's gradient, beta {beta:g}, smallest",
                1.0,
                float(instances.cosine(beta).min()),
                ALIKE,
            )
            for beta in (0.1, 0.03)
        ]

    def positive(instances: Online) -> float:
        return float((instances.epsilon(BETA) > 0).double().mean())

    remainder, share = "order of the remainder in beta", "share of instances where it is positive"
    return [
        Row(EXPANSION, f"{remainder} (sigma has no second-order term)", 4.0, order_of(near.remainder), ORDER),
        Row(STATED, f"{remainder} (a third-order error)", 3.0, order_of(near.remainder_of_number), ORDER),
        Row(NEAR, "order of the error in beta", 2.0, order_of(near.error), ORDER),
        *cosines(NEAR, near),
        *cosines(FAR, far),
        Row(SIGN, share, 1.0, positive(near), MOSTLY),
        Row(TRAINED, share, 1.0, positive(trained), MOSTLY),
    ]
