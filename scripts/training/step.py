"""The gradient of one training step: this module decides its cost in time and memory, not its meaning.

A step is a number of pairs and the mean of their losses, however they are laid out. Packed, pairs are concatenated
without padding, what both responses of a pair share is computed once ("Accelerating Direct Preference Optimization with
Prefix Sharing", arXiv 2410.20305), and the head is applied one pair at a time: a pair's loss depends on the
head only through two sums, so the head's gradient is computed before the next pair's logits.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from transformers import PreTrainedModel

from scripts.lib.batching import by_tokens, deal
from scripts.lib.chat import Encoded
from scripts.lib.config.training import Hyperparameters
from scripts.lib.head import Head
from scripts.lib.logprobs import token_logprobs
from scripts.lib.models import PRECISIONS
from scripts.lib.objectives import PairLogps, implicit_rewards
from scripts.lib.packing import group_of, hidden_states, pack, packed_attention, rows_by_tokens
from scripts.lib.products import large_products
from scripts.training.compiled import compiled_layers
from scripts.training.processes import Processes

Objective = Callable[[PairLogps], Tensor]
ROWS = 9
"""Of what ``accumulate`` returns."""


@dataclass(frozen=True)
class Example:
    """A pair as token ids, with the reference policy's log-probability of each response, in nats."""

    chosen_id: str
    rejected_id: str
    chosen: Encoded
    rejected: Encoded
    ref_chosen: float
    ref_rejected: float

    @property
    def tokens(self) -> int:
        """Tokens of both sequences, the prompt counted in each."""
        return len(self.chosen) + len(self.rejected)


def accumulate(
    model: PreTrainedModel,
    batch: Sequence[Example],
    objective: Objective,
    spec: Hyperparameters,
    pad_id: int,
    head: Head | None,
    processes: Processes | None = None,
) -> Tensor:
    """Add the gradient of the batch's mean loss to the parameters' gradients, one micro-batch at a time.

    A micro-batch holds whole pairs and at most ``spec.batch_tokens`` tokens. With a ``head`` (the model's, in
    ``spec.precision``; :func:`head_of`) pairs are packed, and what a pair shares counts once; without it pairs are
    padded, and padding counts too. The division into micro-batches changes the sum only by rounding. With
    ``processes``, which all get the same batch, each works on its part.
    Returns float32 (9, pairs): loss, chosen and rejected log-probability, chosen and rejected reward, the reference's
    two log-probabilities, and the two lengths; the order of the pairs is that of the micro-batches.
    """
    if head:
        both = uses_rejected(objective)
        responses = [[each.chosen, each.rejected] if both else [each.chosen] for each in batch]
        tokens = [group_of(each).tokens for each in responses]
        head.renew()
        head.reserve(max(sum(len(each.response_ids) for each in of_pair) for of_pair in responses))
        measure = partial(_packed, model, head, objective=objective, spec=spec, both=both)
    else:
        tokens = [max(len(each.chosen), len(each.rejected)) for each in batch]
        measure = partial(_padded, model, objective=objective, spec=spec, pad_id=pad_id)
    hands = deal(tokens, processes.count) if processes else [list(range(len(batch)))]
    cuts = [_micro_batches(hand, tokens, spec.batch_tokens, packed=head is not None) for hand in hands]
    mine = cuts[processes.rank if processes else 0]
    products = compiled_layers(model) if spec.compile else large_products(model)
    with products, packed_attention(model) if head else nullcontext():
        measured = [measure([batch[at] for at in micro], pairs=len(batch)) for micro in mine]
        # All processes must run the model equally often, as they gather its layers together; an idle run has weight 0.
        for _ in range(max(map(len, cuts)) - len(mine)):
            measure([min(batch, key=lambda each: each.tokens)], pairs=math.inf)
    if processes is None:
        return torch.cat(measured, dim=1)
    processes.add_up(model)
    none = torch.empty(ROWS, 0, device=model.device)
    return processes.columns(torch.cat([none, *measured], dim=1), [len(hand) for hand in hands])


def head_of(model: PreTrainedModel, spec: Hyperparameters) -> Head:
    """The model's head for the steps of a run; it keeps its buffer between them."""
    return Head(model.get_output_embeddings(), PRECISIONS[spec.precision])


def _micro_batches(hand: Sequence[int], tokens: Sequence[int], budget: int, packed: bool) -> list[list[int]]:
    """The indices in ``hand``, in micro-batches."""
    of_hand = [tokens[at] for at in hand]
    cut = rows_by_tokens(of_hand, budget) if packed else by_tokens(of_hand, budget // 2)
    return [[hand[at] for at in micro] for micro in cut]


def uses_rejected(objective: Objective) -> bool:
    """Whether an objective uses the rejected responses' log-probabilities."""
    ones = [torch.ones(1, requires_grad=True) for _ in range(2)]
    losses = objective(PairLogps(*ones, *[torch.ones(1)] * 4))
    return torch.autograd.grad(losses.sum(), ones[1], allow_unused=True)[0] is not None


def _padded(
    model: PreTrainedModel,
    batch: Sequence[Example],
    objective: Objective,
    spec: Hyperparameters,
    pad_id: int,
    pairs: float,
) -> Tensor:
    with _precision(model, spec):
        per_token = token_logprobs(model, [each.chosen for each in batch] + [each.rejected for each in batch], pad_id)
    logps = _pair_logps(batch, *torch.stack([values.sum() for values in per_token]).chunk(2))
    losses = objective(logps)
    (losses.sum() / pairs).backward()
    return _measured(losses, logps, spec)


def _packed(
    model: PreTrainedModel,
    head: Head,
    batch: Sequence[Example],
    objective: Objective,
    spec: Hyperparameters,
    both: bool,
    pairs: float,
) -> Tensor:
    """Without ``both``, the objective does not use the rejected responses, and they get no backward pass."""
    rejected = None if both else _forward_only(model, head, [each.rejected for each in batch], spec)
    row = pack([[each.chosen, each.rejected] if both else [each.chosen] for each in batch], model.device)
    with _precision(model, spec):
        states = hidden_states(model, row)
    sides = 2 if both else 1
    tokens = [sum(row.lengths[at : at + sides]) for at in range(0, len(row.lengths), sides)]
    runs = head.runs(tokens)
    leaves = [leaf.requires_grad_() for leaf in states.detach().split([sum(tokens[at] for at in run) for run in runs])]
    targets = row.targets.split([len(leaf) for leaf in leaves])
    measured = []
    for run, leaf, wanted in zip(runs, leaves, targets, strict=True):
        lengths = row.lengths[run[0] * sides : (run[-1] + 1) * sides]
        sums = _sums(head.logprobs(leaf, wanted), lengths).view(-1, sides)
        of_rejected = sums[:, 1] if rejected is None else rejected[run[0] : run[-1] + 1]
        logps = _pair_logps([batch[at] for at in run], sums[:, 0], of_rejected)
        losses = objective(logps)
        (losses.sum() / pairs).backward()
        measured.append(_measured(losses, logps, spec))
    states.backward(torch.cat([leaf.grad for leaf in leaves]))
    return torch.cat(measured, dim=1)


@torch.no_grad()
def _forward_only(model: PreTrainedModel, head: Head, responses: Sequence[Encoded], spec: Hyperparameters) -> Tensor:
    """The log-probability (responses,) of each response."""
    row = pack([[each] for each in responses], model.device)
    with _precision(model, spec):
        states = hidden_states(model, row)
    parts = zip(states.split(row.lengths), row.targets.split(row.lengths), strict=True)
    return torch.stack([head.logprobs(*part).sum() for part in parts])


def _sums(values: Tensor, lengths: Sequence[int]) -> Tensor:
    return torch.stack([each.sum() for each in values.split(lengths)])


def _pair_logps(batch: Sequence[Example], chosen: Tensor, rejected: Tensor) -> PairLogps:
    def column(values: list) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=chosen.device)

    return PairLogps(
        chosen=chosen,
        rejected=rejected,
        ref_chosen=column([each.ref_chosen for each in batch]),
        ref_rejected=column([each.ref_rejected for each in batch]),
        chosen_length=column([len(each.chosen.response_ids) for each in batch]),
        rejected_length=column([len(each.rejected.response_ids) for each in batch]),
    )


def _measured(losses: Tensor, logps: PairLogps, spec: Hyperparameters) -> Tensor:
    rewards = implicit_rewards(logps, spec.beta)
    given = logps.ref_chosen, logps.ref_rejected, logps.chosen_length, logps.rejected_length
    return torch.stack([losses, logps.chosen, logps.rejected, *rewards, *given]).detach()


def _precision(model: PreTrainedModel, spec: Hyperparameters) -> torch.autocast:
    """Autocast; without its cache if layers are recomputed, so that no bfloat16 copy of all weights is kept."""
    return torch.autocast(
        model.device.type,
        torch.bfloat16,
        enabled=spec.precision == "bfloat16",
        cache_enabled=not spec.gradient_checkpointing,
    )
