"""Studies: the runs, tables, figures and claims of one paper."""

from pydantic import Field

from scripts.lib.config.base import Name, Spec


class TableDataset(Spec):
    """A prompt set that stands in Table 1 with all tiers pairs over it."""

    prompt_set: Name
    name: str = Field(description="What the table calls it; published numbers are found by the paper's own name.")


class WhatMattersStudy(Spec):
    """What Matters in Data for DPO?"""

    policy: Name = Field(description="The policy that every run starts from.")
    variant: Name = Field("dpo", description="The training variant of Table 1's runs.")
    seeds: list[int] = Field(min_length=1, description="One run per pairs dataset and seed.")
    datasets: list[TableDataset] = Field(min_length=1, description="In the order of the table.")
    benchmarks: list[Name] = Field(min_length=1, description="Evaluation suites, in the order of the columns.")


class StudiesSpec(Spec):
    """One entry a paper."""

    what_matters: WhatMattersStudy | None = None
