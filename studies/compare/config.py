"""The study's key in the configuration."""

from collections.abc import Iterator

from pydantic import Field

from scripts.lib.config.base import Distinct, Name, PairsRef, PolicyRef, Seed, SuiteRef, VariantRef
from scripts.lib.config.root import AtlasConfig
from scripts.lib.config.studies import Problem, StudyConfig

START = "policy"
"""As a baseline: the policy that runs start from, untrained."""
KEY = ("name", "n_seeds")
"""The first columns of the table of results."""


class Config(StudyConfig):
    """Any pairs datasets, trained on from one policy, each against a baseline on every suite."""

    policy: PolicyRef = Field(description="The policy that every run starts from.")
    datasets: Distinct[PairsRef] = Field(min_length=1, description="The pairs datasets, in the order of the table.")
    variants: Distinct[VariantRef] = Field(
        ["dpo"], min_length=1, description="The training variants; every dataset is trained on with each."
    )
    seeds: Distinct[Seed] = Field(
        min_length=1, description="One run per dataset, variant and seed; one seed leaves every verdict undecided."
    )
    suites: Distinct[SuiteRef] = Field(min_length=1, description="What runs are measured by, in the table's order.")
    baseline: Name = Field(
        description="What all others are compared with: one of the datasets, with several variants as the first of "
        "them trains on it; or the word policy, for the start as it is."
    )

    def problems(self, atlas: AtlasConfig) -> Iterator[Problem]:
        """A baseline that is none of the study's, or two; nothing beside it; suites that would share a column."""
        if self.baseline != START and self.baseline not in self.datasets:
            others = ", ".join(self.datasets)
            yield (
                ("baseline",),
                f"{self.baseline} is none of the datasets of the study",
                f"use one of {others}; or {START}, to compare with {self.policy} as it is",
            )
        if START in self.datasets:
            yield (
                ("datasets", self.datasets.index(START)),
                f"{START} is also what baseline calls the start of all runs",
                f"give the pairs dataset another name under pairs, such as {START}_pairs",
            )
        if self.datasets == [self.baseline] and len(self.variants) == 1:
            yield (
                ("datasets",),
                f"nothing to compare: {self.baseline} is the only dataset, and the baseline",
                f"add a dataset or a second variant, or set baseline: {START}",
            )
        taken = set(KEY)
        for index, suite in enumerate(self.suites):
            if taken & set(columns_of(suite)):
                yield ("suites", index), f"{suite} is also another column of the table", "give the suite another name"
            taken |= set(columns_of(suite))


def columns_of(suite: str) -> list[str]:
    """A suite's columns in the table of results: mean, its standard error, number of questions."""
    return [suite, f"{suite}_se", f"{suite}_questions"]
