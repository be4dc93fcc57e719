"""The study's key in the configuration."""

from collections.abc import Iterator

from pydantic import Field

from scripts.lib.config.base import Distinct, PolicyRef, SuiteRef
from scripts.lib.config.root import AtlasConfig
from scripts.lib.config.studies import Problem, StudyConfig


class Config(StudyConfig):
    """The alignment stages of some policies, and the theory behind their boundary."""

    policies: Distinct[PolicyRef] = Field(min_length=1, description="The policies, in the order of the table.")
    boundary: SuiteRef = Field(description="The suite of kind boundary that says which stage a policy is in.")

    def problems(self, atlas: AtlasConfig) -> Iterator[Problem]:
        """A suite of another kind, or one whose samples are a single policy's."""
        suite = atlas.evaluation.suites[self.boundary]
        if suite.kind != "boundary":
            yield ("boundary",), f"{self.boundary} is a suite of kind {suite.kind}", "name one of kind boundary"
        elif whose := atlas.samples[suite.samples].policy:
            yield (
                ("boundary",),
                f"its samples, {suite.samples}, are those of {whose} alone",
                f"leave the policy out of samples.{suite.samples}: it is then sampled from each policy",
            )
