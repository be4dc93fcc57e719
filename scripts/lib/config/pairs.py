"""Pairs: preference datasets over stored responses."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from scripts.lib.config.base import (
    Distinct,
    Fraction,
    Number,
    PairsRef,
    Positive,
    PromptSetRef,
    RankerRef,
    SampleSetRef,
    ScorerRef,
    Seed,
    SourceRef,
    Spec,
)
from scripts.lib.vocabulary import TIERS

Tier = Literal["best", "high", "medium", "low", "worst"]


class TierPairs(Spec):
    """For each prompt, its response of one tier over that of a lower tier."""

    kind: Literal["tiers"]
    prompt_set: PromptSetRef
    scorer: ScorerRef
    chosen: Tier
    rejected: Tier

    @model_validator(mode="after")
    def _chosen_stands_above_rejected(self) -> "TierPairs":
        if TIERS.index(self.chosen) >= TIERS.index(self.rejected):
            raise ValueError(
                f"chosen ({self.chosen}) must be a tier above rejected ({self.rejected}): {' > '.join(TIERS)}"
            )
        return self


class LabelledPairs(Spec):
    """The preferences that came with sources, unchanged: all pairs of a prompt, without a scorer."""

    kind: Literal["labelled"]
    prompt_set: PromptSetRef
    sources: Distinct[SourceRef] = Field(
        [], description="Take the preferences of these of the prompt set's sources; none: of all."
    )


class ComparisonPairs(Spec):
    """For each prompt, two of its responses drawn at random, the higher score over the lower."""

    kind: Literal["comparisons"]
    prompt_set: PromptSetRef
    scorer: ScorerRef
    seed: Seed = 0


class RankedPairs(Spec):
    """For each prompt, two responses drawn at random, the better one by a ranker or a scorer over the other."""

    kind: Literal["ranked"]
    samples: SampleSetRef | None = Field(None, description="Draw from a policy's own samples; this or prompt_set.")
    prompt_set: PromptSetRef | None = Field(None, description="Draw from a prompt set's responses; this or samples.")
    ranker: RankerRef | None = Field(None, description="Who compares the two, reading both; this or scorer.")
    scorer: ScorerRef | None = Field(None, description="Whose scores compare the two; this or ranker.")
    seed: Seed = 0

    @model_validator(mode="after")
    def _one_of_each(self) -> "RankedPairs":
        for one, other in (("samples", "prompt_set"), ("ranker", "scorer")):
            if (getattr(self, one) is None) == (getattr(self, other) is None):
                raise ValueError(f"give exactly one of {one} and {other}")
        return self


class GapPairs(Spec):
    """For each prompt, two responses selected so that the means over all prompts reach given targets.

    Both targets are in the scorer's units. For a counterfactual dataset that puts this dataset's chosen responses over
    another's rejected ones, or its rejected ones under another's chosen ones, name that other dataset.
    """

    kind: Literal["gap"]
    prompt_set: PromptSetRef
    scorer: ScorerRef
    sources: Distinct[SourceRef] = Field(
        [], description="Pair the responses of these sources alone; none: all responses."
    )
    mean_chosen: Number = Field(description="The mean score of chosen responses to reach.")
    mean_gap: Positive = Field(description="The mean of chosen minus rejected score to reach.")
    tolerance: Positive = Field(0.05, description="How far the means may stay from their targets.")
    chosen_above: PairsRef | None = Field(
        None, description="Choose above this dataset's rejected response of a prompt."
    )
    rejected_below: PairsRef | None = Field(
        None, description="Reject below this dataset's chosen response of a prompt."
    )


class CounterfactualPairs(Spec):
    """The chosen responses of one dataset over the rejected responses of another, prompt by prompt."""

    kind: Literal["counterfactual"]
    chosen_of: PairsRef
    rejected_of: PairsRef


class MixturePairs(Spec):
    """A dataset in which a share of the prompts is paired with the best of a policy's own samples."""

    kind: Literal["mixture"]
    base: PairsRef = Field(description="The offline pairs dataset.")
    samples: SampleSetRef = Field(description="The sample set whose best samples come in; scored by the base's scorer.")
    ratio: Fraction = Field(description="The share of the pairs to replace.")
    seed: Seed = Field(
        0, description="Of the order in which prompts are taken: a larger ratio takes the same and more."
    )


Side = Literal["on", "off"]


class ScenarioPairs(Spec):
    """For each prompt, the best of the policy's own samples or a solution over the worst own sample or a weaker answer.

    Entries that differ in chosen and rejected alone have pairs of the same prompts: of those whose own samples are
    neither all good nor all bad, and whose pairs all have a chosen response that is good and one rejected below it.
    """

    kind: Literal["scenario"]
    prompt_set: PromptSetRef
    samples: SampleSetRef = Field(description="The policy's own samples of these prompts.")
    scorer: ScorerRef = Field(description="A judge that knows the solutions.")
    solutions: str = Field(description="The generator of the prompt set whose responses are chosen off-policy.")
    weaker: str = Field(description="The one whose responses are rejected off-policy.")
    good: Number = Field(description="From this score on a response is good.")
    chosen: Side = Field(description="on: the policy's own best; off: the solution.")
    rejected: Side = Field(description="on: the policy's own worst; off: the weaker answer.")


PairsSpec = Annotated[
    TierPairs
    | LabelledPairs
    | ComparisonPairs
    | RankedPairs
    | GapPairs
    | CounterfactualPairs
    | MixturePairs
    | ScenarioPairs,
    Field(discriminator="kind"),
]
