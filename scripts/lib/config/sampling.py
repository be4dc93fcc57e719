"""How a policy is sampled."""

from typing import Annotated, Literal

from pydantic import Field

from scripts.lib.config.base import Count, Fraction, PolicyRef, PromptSetRef, Spec


class SamplingSpec(Spec):
    """Multinomial sampling, seeded per prompt and sample; ``num_beams`` above 1 is beam-search multinomial."""

    backend: Literal["transformers"] = "transformers"
    temperature: Annotated[float, Field(ge=0.0)] = Field(1.0, description="0 is greedy.")
    top_p: Annotated[Fraction, Field(gt=0.0)] = 1.0
    num_beams: Count = 1
    max_new_tokens: Count = 1024
    samples: Count = Field(1, description="Responses a prompt.")
    batch_tokens: Count = Field(16384, description="Tokens a batch, prompt and response, padding included.")
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    seed: int = 0


class SampleSet(SamplingSpec):
    """A policy's responses to all prompts of a prompt set: a family of that prompt set, named after this entry."""

    policy: PolicyRef
    prompt_set: PromptSetRef
