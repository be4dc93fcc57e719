"""How a policy is sampled."""

from typing import Literal

from pydantic import Field

from scripts.lib.config.base import Count, NotNegative, PolicyRef, PositiveFraction, PromptSetRef, Seed, Spec


class SamplingSpec(Spec):
    """Multinomial sampling, seeded per prompt and sample; ``num_beams`` above 1 is beam-search multinomial."""

    backend: Literal["transformers"] = "transformers"
    temperature: NotNegative = Field(1.0, description="0 is greedy.")
    top_p: PositiveFraction = 1.0
    num_beams: Count = 1
    max_new_tokens: Count = 1024
    samples: Count = Field(1, description="Responses a prompt.")
    batch_tokens: Count = Field(16384, description="Tokens a batch, prompt and response, padding included.")
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    seed: Seed = 0


class SampleSet(SamplingSpec):
    """A policy's responses to all prompts of a prompt set: a family of that prompt set, named after this entry."""

    policy: PolicyRef
    prompt_set: PromptSetRef
