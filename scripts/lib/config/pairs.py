"""Pairs: preference datasets over stored responses."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from scripts.lib.config.base import Name, Spec
from scripts.lib.vocabulary import TIERS

Tier = Literal["best", "high", "medium", "low", "worst"]


class TierPairs(Spec):
    """For each prompt, its response of one tier against that of a lower one."""

    kind: Literal["tiers"]
    prompt_set: Name
    scorer: Name
    chosen: Tier
    rejected: Tier

    @model_validator(mode="after")
    def _chosen_stands_above_rejected(self) -> "TierPairs":
        if TIERS.index(self.chosen) >= TIERS.index(self.rejected):
            raise ValueError(
                f"chosen ({self.chosen}) must be a tier above rejected ({self.rejected}): {' > '.join(TIERS)}"
            )
        return self


class ComparisonPairs(Spec):
    """For each prompt, two of its responses drawn at random, the higher score against the lower."""

    kind: Literal["comparisons"]
    prompt_set: Name
    scorer: Name
    seed: int = 0


PairsSpec = Annotated[TierPairs | ComparisonPairs, Field(discriminator="kind")]
