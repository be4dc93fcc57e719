"""Gradients that are added to where they lie.

A new tensor as large as the weight, for every call, costs much of the time that a call takes (as in Megatron-LM).
"""

import torch
from torch import Tensor


def gradient_of(parameter: Tensor) -> Tensor:
    """A parameter's gradient, to be added to in place; zeros where there is none yet."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad
