"""Studies: the runs, tables, figures and claims of one paper."""

from pydantic import ConfigDict, Field

from scripts.lib.config.base import Distinct, PairsRef, PolicyRef, PromptSetRef, Seed, Spec, SuiteRef, VariantRef


class TableDataset(Spec):
    """A prompt set that stands in Table 1 with all tiers pairs over it."""

    prompt_set: PromptSetRef
    name: str = Field(description="What the table calls it; published numbers are found by the paper's own name.")


class PairsName(Spec):
    """What tables and figures call a pairs dataset: its data, and whose chosen and rejected responses it has.

    on_policy: the share of on-policy pairs in a mixture, in percent; blank where nothing was mixed in.
    """

    model_config = ConfigDict(str_min_length=0)

    dataset: str
    chosen: str
    rejected: str
    on_policy: str = ""

    @property
    def configuration(self) -> str:
        """Chosen/Rejected, as the paper writes it; one name where both are of one kind."""
        sides = self.chosen if self.chosen == self.rejected else f"{self.chosen}/{self.rejected}"
        return f"{sides}, {self.on_policy} % on-policy" if self.on_policy else sides


class ChosenOnly(Spec):
    """Table 2: does online DPO do more than fine-tuning on the chosen responses? Both are training variants."""

    continual_sft: VariantRef
    online_dpo: VariantRef


class Gaps(Spec):
    """Table 3: pairs datasets with a large or small gap (lg, sg) and high or low chosen quality (hq, lq)."""

    lg_hq: PairsRef
    lg_lq: PairsRef
    sg_hq: PairsRef
    sg_lq: PairsRef
    lg_hq_inverse: PairsRef = Field(description="The chosen responses of lg_hq over the rejected of sg_hq.")
    sg_hq_inverse: PairsRef = Field(description="The chosen responses of sg_hq over the rejected of sg_lq.")


class OnPolicy(Spec):
    """One half of Table 4: an offline dataset and its mixtures with on-policy samples."""

    base: PairsRef
    mixtures: Distinct[PairsRef] = Field(min_length=1)


class OnPolicyTable(Spec):
    """Table 4: mixtures over a base dataset of high and of low quality."""

    high: OnPolicy
    low: OnPolicy


class WhatMattersStudy(Spec):
    """What Matters in Data for DPO?"""

    policy: PolicyRef = Field(description="The policy that every run starts from.")
    variant: VariantRef = Field("dpo", description="The training variant of every run, Table 2's apart.")
    seeds: Distinct[Seed] = Field(min_length=1, description="One run per pairs dataset and seed.")
    datasets: Distinct[TableDataset] = Field(min_length=1, description="In the order of the table.")
    benchmarks: Distinct[SuiteRef] = Field(min_length=1, description="Evaluation suites, in the order of the columns.")
    headline: SuiteRef = Field("lc_ae2", description="The benchmark in which Table 3 counts gains.")
    table2: ChosenOnly | None = None
    table3: Gaps | None = None
    table4: OnPolicyTable | None = None


class StudiesSpec(Spec):
    """One entry a paper."""

    what_matters: WhatMattersStudy | None = None
