"""Token embeddings whose backward pass only touches the rows of the tokens in the batch.

PyTorch's own backward allocates a tensor as large as the embedding's weight for every call, zero except for a few rows,
and adds it to the gradient; with small micro-batches and a large vocabulary that is a noticeable share of a step.
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from scripts.lib.gradients import gradient_of


def embed(module: torch.nn.Module, ids: Tensor) -> Tensor:
    """``module`` applied to ``ids`` (1, tokens): (1, tokens, hidden). Backward adds to the weight's ``.grad``."""
    if type(module) is not torch.nn.Embedding or module.max_norm or module.scale_grad_by_freq or module.sparse:
        return module(ids)
    return _Embed.apply(module.weight, ids, module.padding_idx)


class _Embed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight: Tensor, ids: Tensor, padding_idx: int | None) -> Tensor:
        ctx.weight, ctx.padding_idx = weight, padding_idx
        ctx.save_for_backward(ids)
        return torch.nn.functional.embedding(ids, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[None, None, None]:
        (ids,) = ctx.saved_tensors
        if ctx.padding_idx is not None:
            gradient = gradient.masked_fill((ids == ctx.padding_idx)[..., None], 0.0)
        gradient_of(ctx.weight).index_add_(0, ids.flatten(), gradient.flatten(0, -2).to(ctx.weight.dtype))
        return None, None, None
