"""The model's layers compiled by ``torch.compile``."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import PreTrainedModel

from scripts.lib.models import layers_of


@contextmanager
def compiled_layers(model: PreTrainedModel) -> Iterator[None]:
    """Inside, the parts of the model's layers run compiled, for any number of tokens; attention in rows as it is.

    A whole layer can hold a checkpoint of itself, within which nothing is compiled that calls such attention.
    The first step compiles, which takes from seconds to a minute; later ones find what it made.
    """
    parts = {part for layer in layers_of(model) for part in layer.children()}  # layers may share one
    for part in parts:
        part.forward = torch.compile(part.forward, dynamic=True)
    try:
        yield
    finally:
        for part in parts:
            del part.forward
