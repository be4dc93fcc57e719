"""Large float32 matrix products on a CPU, by oneDNN.

The BLAS behind ``torch.mm`` is slower for them, and PyTorch uses oneDNN for them only in compiled models
(docs/performance.md).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import Linear, Parameter
from torch.nn.functional import linear
from transformers import PreTrainedModel

from scripts.lib.gradients import gradient_of

# Prepared kernels (up to 1.5 MB each) are cached for the last thousand shapes; with rows of all lengths there are as
# many, and a run would grow by a gigabyte. oneDNN and PyTorch's layer each have a cache, and read this when first used.
for name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
    os.environ.setdefault(name, "32")

ONEDNN = torch.backends.mkldnn.is_available()

LARGE = 1 << 28
"""The number of operations from which oneDNN is used: it prepares a kernel for every shape."""

COLUMNS = 8192
"""Columns of a result computed at a time, few enough to be in the cache when they are copied to their place."""


def product(left: Tensor, right: Tensor, out: Tensor) -> None:
    """Put ``left @ right.t()`` into ``out`` (rows of left, rows of right)."""
    if not _is_large(left, right):
        torch.mm(left, right.t(), out=out)
        return
    for columns, weight in zip(out.split(COLUMNS, dim=1), right.split(COLUMNS), strict=True):
        columns.copy_(_by_onednn(left, weight))


@contextmanager
def large_products(model: PreTrainedModel) -> Iterator[None]:
    """Inside, the model's linear layers except its head use oneDNN for large products, forward and backward.

    Their gradients are added to their weights' ``.grad`` directly. Layers on a GPU, in another dtype, within autocast
    or sharded over processes are left unchanged.
    """
    layers = [each for each in model.base_model.modules() if type(each) is Linear and _is_plain(each)]
    for layer in layers:
        layer.forward = partial(_forward, layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _is_plain(layer: Linear) -> bool:
    """Whether the layer has its original forward and an ordinary weight."""
    return "forward" not in vars(layer) and type(layer.weight) is Parameter


def _forward(layer: Linear, inputs: Tensor) -> Tensor:
    if torch.is_autocast_enabled("cpu") or not _is_large(inputs, layer.weight):
        return linear(inputs, layer.weight, layer.bias)
    return _Linear.apply(inputs, layer.weight, layer.bias)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.weight, ctx.bias = weight, bias
        ctx.save_for_backward(inputs)
        return _by_onednn(inputs, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, None, None]:
        (inputs,) = ctx.saved_tensors
        of_inputs, of_weight, of_bias = ctx.needs_input_grad
        rows = gradient.flatten(0, -2)
        if of_weight:
            gradient_of(ctx.weight).addmm_(rows.t(), inputs.flatten(0, -2))
        if of_bias:
            gradient_of(ctx.bias).add_(rows.sum(0))
        return _by_onednn(gradient, ctx.weight.detach().t()) if of_inputs else None, None, None


def _is_large(left: Tensor, right: Tensor) -> bool:
    """Whether ``left @ right.t()`` is large enough for oneDNN; the last dimension of both is summed over."""
    operations = 2 * left.numel() * len(right)
    on_cpu = left.device.type == right.device.type == "cpu"
    return ONEDNN and on_cpu and left.dtype == right.dtype == torch.float32 and operations >= LARGE


def _by_onednn(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """``left @ right.t() + bias``, not differentiable."""
    return torch.ops.mkldnn._linear_pointwise(left, right, bias, "none", [], "")
