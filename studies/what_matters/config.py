"""The study's key in the configuration."""

from collections.abc import Iterator

from pydantic import Field

from scripts.lib.config.base import Count, Distinct, PairsRef, PolicyRef, PromptSetRef, Seed, Spec, SuiteRef, VariantRef
from scripts.lib.config.pairs import MixturePairs, TierPairs
from scripts.lib.config.root import AtlasConfig
from scripts.lib.config.studies import Problem, StudyConfig


class TableDataset(Spec):
    """A prompt set that appears in Table 1 with all tiers pairs over it."""

    prompt_set: PromptSetRef
    name: str = Field(description="What the table calls it; published numbers are found by the paper's own name.")


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


class Config(StudyConfig):
    """What Matters in Data for DPO?"""

    policy: PolicyRef = Field(description="The policy that every run starts from.")
    variant: VariantRef = Field("dpo", description="The training variant of every run, Table 2's apart.")
    seeds: Distinct[Seed] = Field(min_length=1, description="One run per pairs dataset, draw and seed.")
    draws: Count = Field(
        1,
        description="So many parts of every pairs dataset's prompts, each trained on by itself: intervals then cover "
        "which data was drawn. With one, all prompts are trained on, and verdicts are for this draw.",
    )
    datasets: Distinct[TableDataset] = Field(min_length=1, description="In the order of the table.")
    benchmarks: Distinct[SuiteRef] = Field(min_length=1, description="Evaluation suites, in the order of the columns.")
    headline: SuiteRef = Field("lc_ae2", description="The benchmark in which Table 3 counts gains.")
    table2: ChosenOnly | None = None
    table3: Gaps | None = None
    table4: OnPolicyTable | None = None

    def problems(self, atlas: AtlasConfig) -> Iterator[Problem]:
        """Datasets without tiers; benchmarks, variants and mixtures that do not fit their role."""
        yield from self._tiers_problems(atlas)
        if self.headline not in self.benchmarks and self.table3:
            others = ", ".join(self.benchmarks)
            yield ("headline",), f"{self.headline} is none of the benchmarks", f"use one of {others}"
        offline = {"variant": self.variant}
        if self.table2:
            offline["table2.continual_sft"] = self.table2.continual_sft
            if atlas.training.variant(self.table2.online_dpo).online is None:
                yield (
                    ("", "training", "variants", self.table2.online_dpo),
                    "is named for online DPO and is not online",
                    "add an online section to it",
                )
        for field, name in offline.items():
            if atlas.training.variant(name).online is not None:
                yield tuple(field.split(".")), f"variant {name} is online", "use an offline one"
        for half in ("high", "low") if self.table4 else ():
            entry = getattr(self.table4, half)
            for index, dataset in enumerate(entry.mixtures):
                spec = atlas.pairs[dataset]
                if not isinstance(spec, MixturePairs) or spec.base != entry.base:
                    yield (
                        ("table4", half, "mixtures", index),
                        f"{dataset} is no mixture over {entry.base}",
                        "name pairs of kind mixture with that base",
                    )

    def _tiers_problems(self, atlas: AtlasConfig) -> Iterator[Problem]:
        tiers = {name: pairs for name, pairs in atlas.pairs.items() if isinstance(pairs, TierPairs)}
        for index, dataset in enumerate(self.datasets):
            over = {name: pairs for name, pairs in tiers.items() if pairs.prompt_set == dataset.prompt_set}
            if not over:
                yield (
                    ("datasets", index),
                    f"no tiers pairs over the prompt set {dataset.prompt_set}",
                    "add entries of kind tiers under pairs, or take the prompt set out of the study",
                )
            first: dict[TierPairs, str] = {}
            for name, pairs in over.items():
                if first.setdefault(pairs, name) != name:
                    yield (
                        ("", "pairs", name),
                        f"is the same as pairs.{first[pairs]}",
                        "keep one of them: each costs a run for every seed",
                    )
