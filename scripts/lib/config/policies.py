"""Policies: models that can be sampled and trained."""

import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from scripts.lib.config.base import (
    BelowOne,
    Count,
    Fraction,
    LocalPath,
    PolicyRef,
    Positive,
    PromptSetRef,
    Seed,
    SourceRef,
    Spec,
)
from scripts.lib.config.steps import Precision, Steps

Threads = Annotated[
    Count | None,
    Field(
        description="CPU threads of each step that runs the model. None: one for a model of up to 100 MB, so that many "
        "share a machine; all cores for a larger one. Results are equal bit for bit only at the same number."
    ),
]
Truncation = Literal["cut", "drop"]


def _written(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime.date) else value  # YAML reads 2024-07-26 as a date


def _is_a_day(value: str) -> str:
    datetime.date.fromisoformat(value)
    return value


Day = Annotated[str, BeforeValidator(_written), AfterValidator(_is_a_day), Field(pattern=r"^\d{4}-\d\d-\d\d$")]
"""A date, as 2024-07-26."""


class Templated(Spec):
    """How a chat template that came with a model is applied."""

    template_date: Day | None = Field(
        None, description="The date that the chat template writes, if it writes today's, such as 2024-07-26."
    )
    refused: Literal["stop", "drop"] = Field(
        "stop", description="A row that the chat template or tokenizer refuses: stop and name it, or drop and count it."
    )
    control_in_text: Literal["text", "refused"] = Field(
        "text", description="A control token that is spelt out in a text: read as text, or refused."
    )


class GivenPolicy(Templated):
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


class SupervisedPolicy(Steps):
    """A policy fine-tuned here on whole conversations, of which it learns every answer (SFT).

    Lengths, rules for texts and the precision of log-probs are those of the policy that it starts from.
    """

    kind: Literal["supervised"]
    start: PolicyRef = Field(description="The policy to start from, such as a given base model.")
    demonstrations: SourceRef = Field(description="A source of kind conversations.")
    learning_rate: Positive = Field(2e-5, description="Peak; linear warm-up, then cosine to zero.")
    adam_beta2: BelowOne = 0.999
    epochs: Positive = 1
    batch_conversations: Count = Field(128, description="Conversations a step, whatever the micro-batches.")
    max_length: Count = Field(2048, description="Tokens of a conversation: what is beyond them is cut off.")
    seed: Seed = Field(0, description="Of the order of the conversations.")


PolicySpec = Annotated[GivenPolicy | ScratchPolicy | SupervisedPolicy, Field(discriminator="kind")]
