"""Hyperparameters of a run."""

from typing import Literal

from pydantic import Field, model_validator

from scripts.lib.config.base import (
    Count,
    Name,
    NotNegative,
    Number,
    Positive,
    SampleSetRef,
    ScorerRef,
    Spec,
)
from scripts.lib.config.objectives import all_objective_options, refuse_out_of_bounds, reward_objective_options
from scripts.lib.config.policies import Truncation
from scripts.lib.config.steps import Steps

Baseline = Literal["leave_one_out", "value"]


class OnlineSpec(Spec):
    """Responses sampled from the policy during training.

    Without a scorer they replace the dataset's rejected responses, and its chosen ones stay. With a scorer only the
    prompts of the dataset are used: an objective of pairs learns from the best and the worst of a prompt's samples, one
    with a reward from all of them.
    """

    refresh_every: Count = Field(1, description="Batches a draw; 1: every batch from the policy as it stands.")
    reuse: Count = Field(1, description="Gradient steps on each batch of samples: passes over those of a draw.")
    temperature: Positive = Field(1.0, description="Gradients of a reward are exact at 1.")
    max_new_tokens: Count = 1024
    batch_tokens: Count = Field(16384, description="Tokens a batch of sampling, padding included.")
    scorer: ScorerRef | None = Field(None, description="What scores the samples; none: the chosen are the dataset's.")
    samples: Count = Field(1, description="Responses a prompt, with a scorer.")
    min_gap: NotNegative = Field(
        0.0,
        description="Best and worst are a pair if their scores are farther apart; objectives of the chosen take all.",
    )
    baseline: Baseline = Field(
        "leave_one_out", description="Of a sample's reward: the mean of the prompt's others, or a value head."
    )

    @model_validator(mode="after")
    def _samples_can_be_compared(self) -> "OnlineSpec":
        if self.scorer is None and self.samples > 1:
            raise ValueError("samples is above 1, and no scorer tells them apart; name a scorer")
        if self.scorer is not None and self.samples < 2 and self.baseline == "leave_one_out":
            raise ValueError("one sample has no others to compare with; raise samples, or set baseline to value")
        return self


class Hyperparameters(Steps):
    """Everything that determines a run besides its policy, its pairs and its seed."""

    objective: str = Field("dpo", description="A name in scripts/lib/objectives.py or reward_objectives.py.")
    beta: Positive = Field(0.1, description="Strength of the tie to the reference, where the objective has one.")
    options: dict[str, Number] = Field({}, description="Further options of the objective, by name.")
    batch_pairs: Count = Field(32, description="Pairs a step, whatever the micro-batches.")
    max_length: Count = Field(2048, description="Tokens of prompt and response together.")
    truncation: Truncation = Field("cut", description="Responses beyond max_length: cut, or their pairs dropped.")
    online: OnlineSpec | None = Field(None, description="Online training; none: on the dataset's own pairs.")

    @model_validator(mode="after")
    def _objective_is_known(self) -> "Hyperparameters":
        known = all_objective_options()
        if self.objective not in known:
            raise ValueError(f"no objective {self.objective!r}; there are {', '.join(sorted(known))}")
        allowed = known[self.objective] - {"beta"}
        if unknown := set(self.options) - allowed:
            takes = ", ".join(sorted(allowed)) or "no options beside beta"
            raise ValueError(f"{self.objective} has no option {', '.join(sorted(unknown))}; it takes {takes}")
        if self.has_reward and not (self.online and self.online.scorer):
            raise ValueError(f"{self.objective} learns from scored samples: give online with a scorer")
        if self.online and self.online.scorer and self.online.samples < 2 and not self.has_reward:
            raise ValueError(f"{self.objective} learns from the best and the worst of several samples: raise samples")
        return self

    @property
    def has_reward(self) -> bool:
        """Whether the objective learns from all samples of a prompt and their rewards, not from pairs."""
        return self.objective in reward_objective_options()


class TrainingSpec(Hyperparameters):
    """The default hyperparameters, named variants of them, and what runs watch."""

    variants: dict[Name, dict[str, object]] = Field(
        {"dpo": {}}, description="Variant name -> the hyperparameters in which it departs from the defaults above."
    )

    watch: dict[Name, SampleSetRef] = Field(
        {},
        description="Prompt set -> sample set without a policy: runs on these prompts report the likelihood of the "
        "start's own samples along training, for about 1 % of its time.",
    )

    @model_validator(mode="after")
    def _variants_are_possible(self) -> "TrainingSpec":
        for name in self.variants:
            spec = self.variant(name)
            refuse_out_of_bounds(spec.objective, spec.options)
        return self

    def variant(self, name: str) -> Hyperparameters:
        defaults = self.model_dump(exclude={"variants", "watch"})
        return Hyperparameters(**(defaults | self.variants[name]))
