"""How a training loop takes its steps, whatever it learns from."""

from typing import Literal

from pydantic import Field

from scripts.lib.config.base import BelowOne, Count, Fraction, NotNegative, Positive, Spec

Precision = Literal["float32", "bfloat16"]


class Steps(Spec):
    """The optimiser, its schedule, and the division of a step's work."""

    learning_rate: Positive = Field(5e-7, description="Peak; linear warm-up, then cosine to zero.")
    warmup_ratio: Fraction = 0.1
    adam_beta1: BelowOne = 0.9
    adam_beta2: BelowOne = 0.99
    weight_decay: NotNegative = 0.0
    max_gradient_norm: Positive = 1.0
    epochs: Positive = 2
    precision: Precision = Field("bfloat16", description="Of the forward and backward pass; weights stay in float32.")
    batch_tokens: Count = Field(
        16384, description="Tokens a micro-batch; what a prompt's responses share counts once where they can be packed."
    )
    gradient_checkpointing: bool = Field(
        False, description="Keep each layer's input alone and compute the layer again in backward: less memory, slower."
    )
    compile: bool = Field(
        False, description="torch.compile of what layers are made of: up to a minute at the start, then faster steps."
    )
    checkpoint_every: Count = Field(100, description="Steps between checkpoints.")
