"""Policies: models that can be sampled and trained."""

from typing import Annotated, Literal

from pydantic import Field

from scripts.lib.config.base import Count, Fraction, LocalPath, Positive, PromptSetRef, Seed, Spec

Precision = Literal["float32", "bfloat16"]
Threads = Annotated[
    Count | None,
    Field(
        description="CPU threads of each step that runs the model. None: one for a model of up to 100 MB, so that many "
        "share a machine; all cores for a larger one. Results are equal bit for bit only at the same number."
    ),
]


class GivenPolicy(Spec):
    """A causal language model from a hub id or a local folder."""

    kind: Literal["given"]
    model: LocalPath = Field(description="Hub id or local folder of a Hugging Face causal language model.")
    revision: str | None = Field(None, description="The hub commit; name one to make a run repeatable.")
    chat_template: LocalPath | None = Field(
        None, description="A Jinja file to use in place of the tokenizer's own template."
    )
    max_length: Count = Field(2048, description="Tokens of prompt and response together; longer responses are cut.")
    logprob_precision: Precision = Field(
        "float32", description="Precision of kept log-probs; bfloat16 values depend on the batch's shape."
    )
    batch_tokens: Count = Field(16384, description="Tokens a batch when log-probs are computed, padding included.")
    threads: Threads = None
    trust_remote_code: bool = Field(
        False, description="Run the Python code that comes with the model: read it first. Runs cannot start from it."
    )


class Architecture(Spec):
    """The shape of a small Llama trained from random weights."""

    tokenizer: Literal["words", "bpe"] = Field(description="words: split at spaces; bpe: byte-level pairs.")
    vocabulary: Count = Field(description="The largest number of tokens.")
    hidden_size: Count
    layers: Count
    heads: Count


class Optimisation(Spec):
    """How a small model is trained from random weights."""

    epochs: Positive
    batch_size: Count
    learning_rate: Positive
    seed: Seed = 0


class ScratchPolicy(Architecture, Optimisation):
    """A small Llama trained here, from random weights, on all responses of a prompt set."""

    kind: Literal["scratch"]
    demonstrations: PromptSetRef = Field(description="The prompt set to learn from.")
    share: Fraction = Field(1.0, description="The share of the demonstrations to use.")
    max_length: Count = Field(512, description="Tokens of prompt and response together; longer responses are cut.")
    logprob_precision: Precision = "float32"
    batch_tokens: Count = 16384
    threads: Threads = None


PolicySpec = Annotated[GivenPolicy | ScratchPolicy, Field(discriminator="kind")]
