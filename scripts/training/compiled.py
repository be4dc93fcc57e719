"""Compiles the model's layers with ``torch.compile``."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import PreTrainedModel

from scripts.lib.models import layers_of


@contextmanager
def compiled_layers(model: PreTrainedModel) -> Iterator[None]:
    """Inside, the parts of the model's layers run compiled, for any number of tokens; packed attention is not compiled.

    A whole layer may checkpoint its own activations, and inside such a checkpoint nothing that calls packed attention
    is compiled. The first step compiles, which takes from seconds to a minute; later ones reuse the result.
    """
    parts = {part for layer in layers_of(model) for part in layer.children()}  # layers may share parts
    for part in parts:
        part.forward = torch.compile(part.forward, dynamic=True)
    try:
        yield
    finally:
        for part in parts:
            del part.forward
