"""The study's key in the configuration."""

from collections.abc import Iterator

from pydantic import Field

from scripts.lib.config.base import (
    Count,
    Distinct,
    PairsRef,
    PolicyRef,
    PositiveFraction,
    SampleSetRef,
    ScorerRef,
    SuiteRef,
)
from scripts.lib.config.behind import over
from scripts.lib.config.root import AtlasConfig
from scripts.lib.config.studies import Problem, StudyConfig


class Config(StudyConfig):
    """A pairs dataset, looked at before it is trained on; more is measured the more models are named."""

    pairs: PairsRef = Field(description="The pairs dataset to look at.")
    scorer: ScorerRef | None = Field(None, description="What says how good its responses are.")
    policy: PolicyRef | None = Field(
        None,
        description="The policy that will be trained on it; its tokenizer counts tokens. None: words stand for them.",
    )
    samples: SampleSetRef | None = Field(
        None, description="The policy's own responses to the dataset's prompts; none: nothing is said that needs them."
    )
    max_length: Count | None = Field(
        None, description="Tokens of prompt and response together when training; none: as in training.max_length."
    )
    near_duplicates: PositiveFraction = Field(
        0.9,
        description="Prompts with at least this word-trigram Jaccard similarity are near-duplicates; with a question "
        "of an evaluation, so are those that share so many of the shorter text's trigrams.",
    )
    suites: Distinct[SuiteRef] = Field([], description="The evaluations that the data must not contain.")

    def problems(self, atlas: AtlasConfig) -> Iterator[Problem]:
        """Samples without a policy, of another one, or of other prompts."""
        if self.samples is None:
            return
        samples, (prompt_set, _) = atlas.samples[self.samples], over(atlas, self.pairs)
        if self.policy is None:
            yield ("samples",), f"whose samples {self.samples} are is not said", "name the policy too"
        elif samples.policy not in (None, self.policy):
            yield (
                ("samples",),
                f"{self.samples} are samples of {samples.policy}, the policy is {self.policy}",
                "name samples of this policy, or a sample set without a policy",
            )
        if samples.prompt_set != prompt_set:
            yield (
                ("samples",),
                f"{self.samples} answers {samples.prompt_set}, the pairs are of {prompt_set}",
                f"use samples of prompt set {prompt_set}",
            )
