"""The study's key in the configuration."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from scripts.lib.config.base import (
    Count,
    Distinct,
    PairsRef,
    PolicyRef,
    Positive,
    PositiveFraction,
    Seed,
    Spec,
    SuiteRef,
    VariantRef,
)
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


class Base(Spec):
    """A policy that runs start from, and the paper's model that it stands for."""

    policy: PolicyRef
    model: str | None = Field(None, description="The paper's model whose published numbers stand beside.")


class Scenarios(Spec):
    """The pairs of the four scenarios: chosen, then rejected, by the start itself (on) or by another (off)."""

    on_on: PairsRef = Field(description="Scenario 1.")
    off_on: PairsRef = Field(description="Scenario 2: off-policy chosen, on-policy rejected.")
    on_off: PairsRef = Field(description="Scenario 3.")
    off_off: PairsRef = Field(description="Scenario 4.")


class TestSet(Spec):
    """One set of problems, measured by two suites of kind reward with at_least: full marks, and right answers."""

    name: str = Field(description="As tables call it; published numbers are found by the paper's own name.")
    full_marks: SuiteRef = Field(description="The share of answers with 5 points.")
    right: SuiteRef = Field(description="The share of answers with 4 or 5 points.")


class PairSet(Spec):
    """Pairs that a reward model and a DPO policy both learn from."""

    name: str = Field(description="As figures call it: the paper's set that it stands for.")
    pairs: PairsRef


PartSeeds = Annotated[
    Distinct[Seed] | None, Field(min_length=1, description="Seeds of this part alone; none: those of the experiments.")
]


class RewardModels(Spec):
    """Reward models against DPO: one start, the same pairs, the hyperparameters of the scenarios' variant."""

    seeds: PartSeeds = None
    sets: Distinct[PairSet] = Field(min_length=1)
    held_out: PositiveFraction = Field(0.25, description="The share of the prompts, by their ids.")
    every: Count = Field(4, description="Steps between measurements on held-out pairs.")


Part = Literal["row_number", "words_per_row", "rhythm", "title", "word_count", "content"]


class Forms(Spec):
    """PPO against DPO (Table 2): one policy, its own pairs, and a reward model of these pairs."""

    seeds: PartSeeds = None
    policy: Base
    pairs: PairsRef = Field(description="Of the policy's own samples.")
    dpo: VariantRef
    ppo: VariantRef = Field(description="With the learned reward.")
    others: dict[str, VariantRef] = Field({}, description="Further rows: as the table calls it -> variant.")
    verses: dict[Part, SuiteRef] = Field(description="The paper's column -> the suite of its rule.")
    slogans: dict[Part, SuiteRef]
    by_rules: Distinct[SuiteRef] = Field(description="Suites of all rules: of verses and of slogans.")
    by_model: Distinct[SuiteRef] = Field(description="The same by the reward model.")


class Experiments(Spec):
    """What Tables 1, 7, 8 and 9 and Figures 4 and 6 are made of."""

    policies: Distinct[Base] = Field(min_length=1, description="Of the scenarios; Table 9 and Figure 4: the last.")
    seeds: Distinct[Seed] = Field(min_length=1)
    draws: Count = Field(1, description="So many parts of the prompts, each trained on by itself.")
    variant: VariantRef = Field("dpo", description="The training variant of the scenarios: plain DPO.")
    scenarios: Scenarios
    regularised: Distinct[VariantRef] = Field(
        [], description="Table 9's other rows, on scenario 1's pairs; published numbers are of the variant's objective."
    )
    beta_sweep: Distinct[VariantRef] = Field(
        [], description="Figure 4: variants of flex_dpo that differ in beta_rejected; plain DPO is added."
    )
    test_sets: Distinct[TestSet] = Field(min_length=1, description="First the problems of the kind that is trained on.")
    forms: Forms | None = Field(None, description="Table 2; none: not.")
    reward_models: RewardModels | None = Field(None, description="Figures 5 and 7 to 9, of the last policy; none: not.")


class Config(StudyConfig):
    """What DPO does to likelihoods."""

    toy: Toy
    experiments: Experiments | None = Field(None, description="None: the toy model and the theory alone.")

    def problems(self, atlas: AtlasConfig) -> Iterator[Problem]:
        """Unknown objectives; sweeps that do not sweep; suites that count no answers."""
        known = objective_options()
        for at, name in enumerate(self.toy.objectives):
            if name not in known:
                yield ("toy", "objectives", at), f"{name} is no objective", f"use one of {', '.join(known)}"
        if self.experiments:
            yield from _problems_of(self.experiments, atlas)


def _problems_of(spec: Experiments, atlas: AtlasConfig) -> Iterator[Problem]:
    if (objective := atlas.training.variant(spec.variant).objective) != "dpo":
        yield ("experiments", "variant"), f"{spec.variant} trains by {objective}", "name a variant with plain DPO"
    for at, name in enumerate(spec.beta_sweep):
        variant = atlas.training.variant(name)
        if variant.objective != "flex_dpo" or "beta_rejected" not in variant.options:
            yield (
                ("experiments", "beta_sweep", at),
                f"{name} sets no beta_rejected of flex_dpo",
                "name variants of objective flex_dpo with options: {beta_rejected: ...}",
            )
    for at, each in enumerate(spec.test_sets):
        for field in ("full_marks", "right"):
            suite = atlas.evaluation.suites[getattr(each, field)]
            if suite.kind != "reward" or suite.at_least is None:
                yield (
                    ("experiments", "test_sets", at, field),
                    f"{getattr(each, field)} measures no share of answers",
                    "name a suite of kind reward with at_least",
                )
