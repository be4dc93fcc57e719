"""The study's key in the configuration."""

from collections.abc import Iterator

from pydantic import Field

from scripts.lib.config.base import Count, Distinct, PairsRef, PolicyRef, Seed, Spec, SuiteRef, VariantRef
from scripts.lib.config.references import sample_sets_behind
from scripts.lib.config.root import AtlasConfig
from scripts.lib.config.studies import Problem, StudyConfig

CONTROLLED = "length_controlled_winrate"


class Base(Spec):
    """An initial policy, and the paper's model that it stands for."""

    policy: PolicyRef
    model: str | None = Field(
        None, description="The paper's model whose published numbers stand beside, as in published/iterations.csv."
    )


class Config(StudyConfig):
    """Every policy trained twice, each time off-policy or on-policy; the boundary before it; the theory behind it."""

    policies: Distinct[Base] = Field(min_length=1, description="Weakest first; in the order of the tables.")
    variants: Distinct[VariantRef] = Field(
        min_length=1, description="The training variants; published numbers are of those named dpo and slic."
    )
    seeds: Distinct[Seed] = Field(min_length=1, description="One lineage per seed: both its iterations train with it.")
    draws: Count = Field(1, description="So many parts of the prompts, each trained on by itself, in both iterations.")
    off_policy: PairsRef = Field(description="The pairs that others wrote, in both iterations.")
    on_policy: PairsRef = Field(description="Pairs of the start's own samples; of a sample set without a policy.")
    boundary: SuiteRef = Field(description="The suite of kind boundary that says which stage a start is in.")
    win_rate: SuiteRef = Field(description="The suite of kind win_rate, length-controlled.")
    true_reward: SuiteRef | None = Field(None, description="A suite of kind reward; none: where nobody knows it.")

    def problems(self, atlas: AtlasConfig) -> Iterator[Problem]:
        """Suites of another kind, pairs that are of one policy alone or of every start, a policy twice."""
        suites = atlas.evaluation.suites
        for field, kind in {"boundary": "boundary", "win_rate": "win_rate", "true_reward": "reward"}.items():
            name = getattr(self, field)
            if name and suites[name].kind != kind:
                yield (field,), f"{name} is a suite of kind {suites[name].kind}", f"name one of kind {kind}"
        if suites[self.win_rate].kind == "win_rate" and suites[self.win_rate].metric != CONTROLLED:
            yield ("win_rate",), f"{self.win_rate} reports the win rate alone", f"set its metric to {CONTROLLED}"
        if suites[self.boundary].kind == "boundary" and (whose := atlas.samples[suites[self.boundary].samples].policy):
            samples = suites[self.boundary].samples
            yield (
                ("boundary",),
                f"its samples, {samples}, are those of {whose} alone",
                f"leave the policy out of samples.{samples}: it is then sampled from each start",
            )
        for field, own in {"off_policy": False, "on_policy": True}.items():
            name = getattr(self, field)
            if any(atlas.samples[each].policy is None for each in sample_sets_behind(atlas, name)) != own:
                problem = f"{name} is not sampled from each start" if own else f"{name} is sampled from each start"
                yield (
                    (field,),
                    problem,
                    f"name pairs {'of a sample set without a policy' if own else 'that others wrote'}",
                )
        named = [each.policy for each in self.policies]
        for index, name in enumerate(named):
            if name in named[:index]:
                yield ("policies", index), f"{name} stands twice", "keep one of them"
