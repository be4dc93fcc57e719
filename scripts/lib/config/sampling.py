"""How a policy is sampled."""

from typing import Self

from pydantic import Field, model_validator

from scripts.lib.config.base import Count, NotNegative, PolicyRef, PositiveFraction, PromptSetRef, Seed
from scripts.lib.config.engines import Inference


class SamplingSpec(Inference):
    """Multinomial sampling, seeded per prompt and sample; ``num_beams`` above 1 is beam-search multinomial."""

    temperature: NotNegative = Field(1.0, description="0 is greedy.")
    top_p: PositiveFraction = 1.0
    top_k: Count | None = Field(None, description="Draw among the k likeliest tokens; none: among all.")
    num_beams: Count = 1
    max_new_tokens: Count = 1024
    samples: Count = Field(1, description="Responses a prompt.")
    seed: Seed = 0

    @model_validator(mode="after")
    def _has_beams_of_transformers(self) -> Self:
        if self.backend == "vllm" and self.num_beams > 1:
            raise ValueError("backend vllm draws no beams: set num_beams to 1, or backend to transformers")
        return self


class SampleSet(SamplingSpec):
    """A policy's responses to all prompts of a prompt set: a family of that prompt set, named after this entry."""

    policy: PolicyRef | None = Field(None, description="Whose; none: of whatever a run starts from, for every start.")
    prompt_set: PromptSetRef
    limit: Count | None = Field(None, description="Answer so many of the prompts, chosen by their ids; none: all.")
    shards: Count = Field(1, description="Jobs that share the prompts; in float32 the samples are the same.")
