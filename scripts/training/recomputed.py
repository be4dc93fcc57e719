"""Gradient checkpointing: each layer keeps only its input, and is computed again in backward."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer


def checkpointable(model: PreTrainedModel) -> list[GradientCheckpointingLayer]:
    """The layers that transformers declares may be computed again; none if it does not support that."""
    layers = [each for each in model.modules() if isinstance(each, GradientCheckpointingLayer)]
    return layers if model.supports_gradient_checkpointing else []


@contextmanager
def recomputed_layers(model: PreTrainedModel) -> Iterator[None]:
    """Inside, the model's layers are checkpointed, also in eval mode, where transformers' own checkpointing is off."""
    layers = checkpointable(model)
    for layer in layers:
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False, preserve_rng_state=False)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward
