"""Per-token log-probabilities of responses under a model."""

from collections.abc import Sequence

import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from scripts.lib.chat import Encoded


def token_logprobs(model: PreTrainedModel, sequences: Sequence[Encoded], pad_id: int) -> list[torch.Tensor]:
    """log p(token | prompt, earlier tokens), in nats, of every response token: one float32 vector per sequence.

    Differentiable. Sequences are padded on the right, so that none of their tokens attends to padding and no attention
    mask is needed. The model's head runs only at the response's positions.
    """
    ids, where = padded(sequences, pad_id)
    targets = ids[where[0], where[1] + 1]
    logits = logits_at(model, ids.to(model.device), tuple(index.to(model.device) for index in where))
    values = -cross_entropy(logits.float(), targets.to(model.device), reduction="none")
    return list(values.split([len(each.response_ids) for each in sequences]))


def token_states(model: PreTrainedModel, sequences: Sequence[Encoded], pad_id: int) -> list[torch.Tensor]:
    """The last hidden state (tokens, hidden) from which each token of every response is predicted."""
    ids, where = padded(sequences, pad_id)
    states = model.base_model(input_ids=ids.to(model.device), use_cache=False).last_hidden_state
    found = states[tuple(index.to(model.device) for index in where)]
    return list(found.split([len(each.response_ids) for each in sequences]))


def padded(sequences: Sequence[Encoded], pad_id: int) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    """The ids (sequences, longest), and the (rows, columns) whose logits predict the response tokens, in order."""
    ids = torch.full((len(sequences), max(len(each) for each in sequences)), pad_id)
    rows, places = [], []
    for row, each in enumerate(sequences):
        ids[row, : len(each)] = torch.tensor(each.prompt_ids + each.response_ids)
        rows += [row] * len(each.response_ids)
        places += range(len(each.prompt_ids) - 1, len(each) - 1)
    return ids, (torch.tensor(rows, dtype=torch.long), torch.tensor(places, dtype=torch.long))


def logits_at(model: PreTrainedModel, ids: torch.Tensor, where: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """The logits (positions, vocabulary) at the positions ``where`` (rows, columns) of ``ids`` (rows, columns).

    Positions are selected just before the model's own head, so that anything the model does to its logits (soft caps,
    scales) still happens, and the other positions are never computed.
    """

    def pick(_module, inputs):
        return (inputs[0][where].unsqueeze(0), *inputs[1:])

    hook = model.get_output_embeddings().register_forward_pre_hook(pick)
    try:
        return model(input_ids=ids, use_cache=False).logits.squeeze(0)
    finally:
        hook.remove()
