"""A Bradley-Terry reward model from a policy: its layers and weights, with one output in place of its head.

It sees the same pairs in the same order as a DPO run, with the same optimiser, schedule and clipping; the loss is
-log sigmoid(r(chosen) - r(rejected)) ("3D-Properties", eq. 2).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import logsigmoid
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from scripts.lib.batching import by_tokens
from scripts.lib.classifiers import outputs
from scripts.lib.config.training import Hyperparameters
from scripts.lib.models import PolicyCard, device
from scripts.training.lessons import Example
from scripts.training.updates import batches, optimization
from studies.three_d.reward_model.held_out import BATCH_TOKENS, HeldOut


def from_policy(card: PolicyCard, pad_id: int, seed: int) -> PreTrainedModel:
    """The policy with a new output: seeded small random weights; in float32."""
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(
        card.model, revision=card.revision, num_labels=1, dtype=torch.float32, use_safetensors=True
    )
    model.config.get_text_config().pad_token_id = pad_id
    return model.to(device()).eval()


def conversations(pairs: Sequence[Example]) -> list[list[int]]:
    """The token ids of each pair's chosen, then its rejected conversation."""
    return [side.prompt_ids + side.response_ids for each in pairs for side in (each.chosen, each.rejected)]


@torch.no_grad()
def margins(model: PreTrainedModel, pairs: Sequence[Example]) -> list[float]:
    """The reward of the chosen less that of the rejected, for each pair."""
    sequences = conversations(pairs)
    found = [0.0] * len(sequences)
    for batch in by_tokens([len(each) for each in sequences], BATCH_TOKENS):
        for at, value in zip(batch, outputs(model, [sequences[at] for at in batch]).tolist(), strict=True):
            found[at] = value
    return [chosen - rejected for chosen, rejected in zip(found[::2], found[1::2], strict=True)]


def train(
    model: PreTrainedModel, pairs: Sequence[Example], spec: Hyperparameters, seed: int, held_out: HeldOut
) -> list[dict[str, Any]]:
    """Trains in place; a row per step, of before its update: step, loss, accuracy, held_out."""
    steps = batches(len(pairs), spec.batch_pairs, spec.epochs, seed)
    optimizer, scheduler = optimization([{"params": list(model.parameters())}], spec, len(steps))
    rows = []
    for step, indices in enumerate(steps):
        batch = [pairs[at] for at in indices]
        loss, right = 0.0, 0
        for part in by_tokens([2 * max(len(each.chosen), len(each.rejected)) for each in batch], spec.batch_tokens):
            values = outputs(model, conversations([batch[at] for at in part])).view(-1, 2)
            losses = -logsigmoid(values[:, 0] - values[:, 1]) / len(batch)
            losses.sum().backward()
            loss += losses.sum().item()
            right += int((values[:, 0] > values[:, 1]).sum())
        rows.append({"step": step, "loss": loss, "accuracy": right / len(batch), **held_out(model, step, len(steps))})
        torch.nn.utils.clip_grad_norm_(model.parameters(), spec.max_gradient_norm)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
    return rows
