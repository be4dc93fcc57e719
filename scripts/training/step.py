"""The gradient of one training step: this module decides its cost in time and memory, not its meaning.

A step is a number of items, such as pairs, and the mean of their losses, however they are laid out; a lesson
(scripts/training/lessons.py) says which responses an item has, and what its loss is. Packed, items are concatenated
without padding, what the responses of an item share is computed once ("Accelerating Direct Preference Optimization with
Prefix Sharing", arXiv 2410.20305), and the head is applied one item at a time: an item's loss depends on the head only
through the log-probs of its tokens, so the head's gradient is computed before the next item's logits.
"""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from typing import Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel

from scripts.lib.batching import by_tokens, deal
from scripts.lib.chat import Encoded
from scripts.lib.config.steps import Steps
from scripts.lib.head import Head
from scripts.lib.logprobs import token_logprobs
from scripts.lib.models import PRECISIONS
from scripts.lib.packing import group_of, hidden_states, pack, packed_attention, rows_by_tokens
from scripts.lib.products import large_products
from scripts.training.compiled import compiled_layers
from scripts.training.processes import Processes


class Item(Protocol):
    """What a lesson makes of one prompt, such as a pair."""

    @property
    def tokens(self) -> int:
        """Tokens of all sequences, the prompt counted in each."""
        ...


class Lesson(Protocol):
    """What items are and what their loss is. rows: how many numbers it measures of each."""

    rows: int

    def learnt(self, item: Item) -> list[Encoded]:
        """The responses through whose log-probs the loss has a gradient."""
        ...

    def unlearnt(self, item: Item) -> list[Encoded]:
        """The responses that are only measured, and get no backward pass."""
        ...

    def measured(self, items: Sequence[Item], learnt: list[Tensor], unlearnt: list[Tensor]) -> Tensor:
        """float32 (rows, items); the first row is the loss, and differentiable.

        learnt, unlearnt: log-probs (tokens,) of those responses of all items, in order.
        """
        ...


def accumulate(
    model: PreTrainedModel,
    batch: Sequence[Item],
    lesson: Lesson,
    spec: Steps,
    pad_id: int,
    head: Head | None,
    processes: Processes | None = None,
) -> Tensor:
    """Add the gradient of the batch's mean loss to the parameters' gradients, one micro-batch at a time.

    A micro-batch holds whole items and at most ``spec.batch_tokens`` tokens. With a ``head`` (the model's, in
    ``spec.precision``; :func:`head_of`) items are packed, and what an item's responses share counts once; without it
    they are padded, and padding counts too. The division into micro-batches changes the sum only by rounding. With
    ``processes``, which all get the same batch, each works on its part.
    Returns what the lesson measured, float32 (rows, items); the order of the items is that of the micro-batches.
    """
    if head:
        learnt = [lesson.learnt(each) for each in batch]
        tokens = [group_of(each).tokens for each in learnt]
        head.renew()
        head.reserve(max(sum(len(each.response_ids) for each in of_item) for of_item in learnt))
        measure = partial(_packed, model, head, lesson=lesson, spec=spec)
    else:
        read = [[*lesson.learnt(each), *lesson.unlearnt(each)] for each in batch]
        tokens = [len(each) * max(map(len, each)) for each in read]
        measure = partial(_padded, model, lesson=lesson, spec=spec, pad_id=pad_id)
    hands = deal(tokens, processes.count) if processes else [list(range(len(batch)))]
    cuts = [_micro_batches(hand, tokens, spec.batch_tokens, packed=head is not None) for hand in hands]
    mine = cuts[processes.rank if processes else 0]
    products = compiled_layers(model) if spec.compile else large_products(model)
    with products, packed_attention(model) if head else nullcontext():
        measured = [measure([batch[at] for at in micro], of=len(batch)) for micro in mine]
        # All processes must run the model equally often, as they gather its layers together; an idle run has weight 0.
        for _ in range(max(map(len, cuts)) - len(mine)):
            measure([min(batch, key=lambda each: each.tokens)], of=math.inf)
    if processes is None:
        return torch.cat(measured, dim=1)
    processes.add_up(model)
    none = torch.empty(lesson.rows, 0, device=model.device)
    return processes.columns(torch.cat([none, *measured], dim=1), [len(hand) for hand in hands])


def head_of(model: PreTrainedModel, spec: Steps) -> Head:
    """The model's head for the steps of a run; it keeps its buffer between them."""
    return Head(model.get_output_embeddings(), PRECISIONS[spec.precision])


def _micro_batches(hand: Sequence[int], tokens: Sequence[int], budget: int, packed: bool) -> list[list[int]]:
    """The indices in ``hand``, in micro-batches."""
    of_hand = [tokens[at] for at in hand]
    cut = rows_by_tokens(of_hand, budget) if packed else by_tokens(of_hand, budget)
    return [[hand[at] for at in micro] for micro in cut]


def _padded(
    model: PreTrainedModel, items: Sequence[Item], lesson: Lesson, spec: Steps, pad_id: int, of: float
) -> Tensor:
    learnt, unlearnt = ([each for item in items for each in side(item)] for side in (lesson.learnt, lesson.unlearnt))
    with _precision(model, spec):
        values = token_logprobs(model, learnt + unlearnt, pad_id)
    measured = lesson.measured(items, values[: len(learnt)], [each.detach() for each in values[len(learnt) :]])
    (measured[0].sum() / of).backward()
    return measured.detach()


def _packed(
    model: PreTrainedModel, head: Head, items: Sequence[Item], lesson: Lesson, spec: Steps, of: float
) -> Tensor:
    learnt = [lesson.learnt(item) for item in items]
    unlearnt = [lesson.unlearnt(item) for item in items]
    of_unlearnt = _forward_only(model, head, unlearnt, spec)
    row = pack(learnt, model.device)
    with _precision(model, spec):
        states = hidden_states(model, row)
    lengths = [[len(each.response_ids) for each in of_item] for of_item in learnt]
    runs = head.runs([sum(of_item) for of_item in lengths])
    sizes = [sum(sum(lengths[at]) for at in run) for run in runs]
    leaves = [leaf.requires_grad_() for leaf in states.detach().split(sizes)]
    found = []
    for run, leaf, wanted in zip(runs, leaves, row.targets.split(sizes), strict=True):
        values = head.logprobs(leaf, wanted).split([length for at in run for length in lengths[at]])
        others = [each for at in run for each in of_unlearnt[at]]
        measured = lesson.measured([items[at] for at in run], list(values), others)
        (measured[0].sum() / of).backward()
        found.append(measured.detach())
    states.backward(torch.cat([leaf.grad for leaf in leaves]))
    return torch.cat(found, dim=1)


@torch.no_grad()
def _forward_only(
    model: PreTrainedModel, head: Head, groups: Sequence[Sequence[Encoded]], spec: Steps
) -> list[list[Tensor]]:
    """The log-probs (tokens,) of each response of each group."""
    kept = [group for group in groups if group]
    if not kept:
        return [[] for _ in groups]
    row = pack(kept, model.device)
    with _precision(model, spec):
        states = hidden_states(model, row)
    parts = zip(states.split(row.lengths), row.targets.split(row.lengths), strict=True)
    values = iter([head.logprobs(*part) for part in parts])
    return [[next(values) for _ in group] for group in groups]


def _precision(model: PreTrainedModel, spec: Steps) -> torch.autocast:
    """Autocast; without its cache if layers are recomputed, so that no bfloat16 copy of all weights is kept."""
    return torch.autocast(
        model.device.type,
        torch.bfloat16,
        enabled=spec.precision == "bfloat16",
        cache_enabled=not spec.gradient_checkpointing,
    )
