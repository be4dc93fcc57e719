"""The study's key in the configuration."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from scripts.lib.config.base import Count, Distinct, Positive, Seed, Spec
from scripts.lib.config.objectives import objective_options
from scripts.lib.config.root import AtlasConfig
from scripts.lib.config.studies import Problem, StudyConfig


class Optimiser(Spec):
    """How a toy policy is trained: one step an epoch."""

    optimiser: Literal["sgd", "adam"] = Field(description="Plain gradient descent, or Adam.")
    learning_rate: Positive = Field(description="Constant.")


class Toy(Spec):
    """The toy model, and the grid of what no public text states of it. The first of each is the one drawn."""

    seeds: Distinct[Seed] = Field(min_length=2, description="Of initial weights and of rejected responses.")
    epochs: Count = Field(500, description="Steps over all four prompts.")
    objectives: Distinct[str] = Field(min_length=1, description="Each with its default options.")
    widths: Distinct[Count] = Field(min_length=1, description="Units in each of the two hidden layers.")
    optimisers: Distinct[Optimiser] = Field(min_length=1, description="Optimisers with their learning rates.")
    rejected: Distinct[Literal["listed", "fixed", "batch"]] = Field(
        min_length=1,
        description="A prompt's rejected response: any of 5 to 8; always the same one; another prompt's optimal one.",
    )


class Config(StudyConfig):
    """What DPO does to likelihoods."""

    toy: Toy

    def problems(self, atlas: AtlasConfig) -> Iterator[Problem]:
        """Unknown objectives."""
        known = objective_options()
        for at, name in enumerate(self.toy.objectives):
            if name not in known:
                yield ("toy", "objectives", at), f"{name} is no objective", f"use one of {', '.join(known)}"
