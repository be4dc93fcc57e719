"""Studies: the runs, tables, figures and claims of one paper."""

from pydantic import Field

from scripts.lib.config.base import Name, Spec


class WhatMattersStudy(Spec):
    """What Matters in Data for DPO?"""

    policy: Name = Field(description="The policy that every run starts from.")
    variant: Name = Field("dpo", description="The training variant of Table 1's runs.")
    seeds: list[int] = Field(min_length=1, description="One run per pairs dataset and seed.")
    datasets: dict[Name, str] = Field(
        min_length=1,
        description="Prompt set -> the name the paper's Table 1 gives it. All tiers pairs over the set are rows.",
    )
    benchmarks: list[Name] = Field(min_length=1, description="Evaluation suites, in the order of the columns.")


class StudiesSpec(Spec):
    """One entry a paper."""

    what_matters: WhatMattersStudy | None = None
