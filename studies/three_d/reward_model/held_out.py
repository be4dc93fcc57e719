"""Accuracy on pairs of prompts that training does not see: of a policy by its implicit reward, of a reward model."""

from collections.abc import Callable, Sequence

import torch
from transformers import PreTrainedModel

from scripts.lib.batching import by_tokens
from scripts.lib.ids import seed_of
from scripts.lib.logprobs import token_logprobs
from scripts.training.lessons import Example

TIE = 1e-3
"""Nats: a policy that equals its reference has implicit rewards of rounding errors, which tell nothing."""

BATCH_TOKENS = 8192


def is_held_out(prompt_id: str, share: float) -> bool:
    """Whether a prompt is held out, by the hash of its id: the same for all seeds."""
    return seed_of("three_d held out", prompt_id) % 1000 < round(1000 * share)


def accuracy(margins: Sequence[float], tie: float = 0.0) -> float:
    """The share of margins above zero; those within ``tie`` of it count half."""
    points = [0.5 if abs(each) <= tie else float(each > 0) for each in margins]
    return sum(points) / len(points)


class HeldOut:
    """Measures a model on held-out pairs every so many steps, as one of the watches of a run (training/watch.py)."""

    def __init__(self, margins: Callable[[PreTrainedModel], list[float]], every: int, tie: float = 0.0) -> None:
        self.margins, self.every, self.tie = margins, every, tie

    def __call__(self, model: PreTrainedModel, step: int, steps: int) -> dict[str, float | None]:
        """The column of a step of so many, before its update; None between measurements."""
        return {"held_out": None if step % self.every else accuracy(self.margins(model), self.tie)}


@torch.no_grad()
def implicit_margins(model: PreTrainedModel, pairs: Sequence[Example], pad_id: int) -> list[float]:
    """log pi/pi_ref of the chosen less that of the rejected, in nats, for each pair."""
    sequences = [side for each in pairs for side in (each.chosen, each.rejected)]
    found = [0.0] * len(sequences)
    for batch in by_tokens([len(each) for each in sequences], BATCH_TOKENS):
        values = token_logprobs(model, [sequences[at] for at in batch], pad_id)
        for at, of_one in zip(batch, values, strict=True):
            found[at] = float(of_one.double().sum())
    return [
        (chosen - each.ref_chosen) - (rejected - each.ref_rejected)
        for each, chosen, rejected in zip(pairs, found[::2], found[1::2], strict=True)
    ]
