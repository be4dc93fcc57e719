"""The study's key in the configuration."""

from collections.abc import Iterator

from pydantic import Field

from scripts.lib.config.base import Count, Distinct, PairsRef, PolicyRef, Seed, Spec, SuiteRef, VariantRef
from scripts.lib.config.behind import depends_on_start, sample_sets_behind
from scripts.lib.config.root import AtlasConfig
from scripts.lib.config.studies import Problem, StudyConfig

CONTROLLED = "length_controlled_winrate"


class Base(Spec):
    """An initial policy, and the paper's model that it stands for."""

    policy: PolicyRef
    model: str | None = Field(
        None, description="The paper's model whose published numbers stand beside, as in published/iterations.csv."
    )


class Foreign(Spec):
    """Table 2: some policies are trained on the pairs of a strong policy's samples too."""

    pairs: PairsRef = Field(description="Pairs of a strong policy's own samples, the same for every start.")
    policies: Distinct[PolicyRef] = Field(
        min_length=1, description="Which of the study's policies; not the strong one."
    )
    variant: VariantRef
    cases: Count = Field(805, description="The most prompts on which the quality of datasets is judged.")


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
    blend: PairsRef = Field(description="Pairs of kind blend of these two, by the boundary suite's score.")
    foreign: Foreign
    boundary: SuiteRef = Field(description="The suite of kind boundary that says which stage a start is in.")
    win_rate: SuiteRef = Field(description="The suite of kind win_rate, length-controlled.")
    true_reward: SuiteRef | None = Field(None, description="A suite of kind reward; none: where nobody knows it.")

    def problems(self, atlas: AtlasConfig) -> Iterator[Problem]:
        """Suites of another kind, a blend of other pairs (which has checks of its own), a policy twice."""
        suites = atlas.evaluation.suites
        for field, kind in {"boundary": "boundary", "win_rate": "win_rate", "true_reward": "reward"}.items():
            name = getattr(self, field)
            if name and suites[name].kind != kind:
                yield (field,), f"{name} is a suite of kind {suites[name].kind}", f"name one of kind {kind}"
        if suites[self.win_rate].kind == "win_rate" and suites[self.win_rate].metric != CONTROLLED:
            yield ("win_rate",), f"{self.win_rate} reports the win rate alone", f"set its metric to {CONTROLLED}"
        spec, parts = atlas.pairs[self.blend], ("off_policy", "on_policy", "boundary")
        if any(getattr(spec, part, None) != getattr(self, part) for part in parts):
            yield (
                ("blend",),
                f"{self.blend} does not blend {self.off_policy} and {self.on_policy} by {self.boundary}",
                "name pairs of kind blend that do",
            )
        yield from self._foreign_problems(atlas)
        named = [each.policy for each in self.policies]
        for index, name in enumerate(named):
            if name in named[:index]:
                yield ("policies", index), f"{name} stands twice", "keep one of them"

    def _foreign_problems(self, atlas: AtlasConfig) -> Iterator[Problem]:
        """Pairs of each start's own, policies that the study does not have, or whose own samples the pairs are."""
        of, named = self.foreign, [each.policy for each in self.policies]
        whose = {each.partition("@")[2] or atlas.samples[each].policy for each in sample_sets_behind(atlas, of.pairs)}
        if depends_on_start(atlas, of.pairs) or not whose:
            yield (
                ("foreign", "pairs"),
                f"{of.pairs} is not of one policy's samples",
                "name ranked pairs with samples and of",
            )
        for index, name in enumerate(of.policies):
            if name not in named or name in whose:
                own = name in whose
                yield (
                    ("foreign", "policies", index),
                    f"{of.pairs} are pairs of {name}'s own samples" if own else f"{name} is no policy of the study",
                    f"name some of {', '.join(each for each in named if each not in whose)}",
                )
        if of.variant not in self.variants:
            yield ("foreign", "variant"), f"{of.variant} is no variant of the study", f"name one of {self.variants}"
