"""Gradients accumulated in place.

Allocating a tensor as large as the weight for every call costs a large part of the call's time (as in Megatron-LM).
"""

import torch
from torch import Tensor


def gradient_of(parameter: Tensor) -> Tensor:
    """A parameter's gradient, to be added to in place; created as zeros if there is none yet."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad
