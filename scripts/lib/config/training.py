"""Hyperparameters of a run."""

from pydantic import Field, model_validator

from scripts.lib.config.base import BelowOne, Count, Fraction, Name, NotNegative, Number, Positive, SampleSetRef, Spec
from scripts.lib.config.objectives import objective_options, refuse_out_of_bounds
from scripts.lib.config.policies import Precision, Truncation


class OnlineSpec(Spec):
    """Rejected responses sampled from the policy during training, in place of the dataset's."""

    refresh_every: Count = Field(1, description="Steps between draws; 1: every batch from the policy as it stands.")
    temperature: Positive = 1.0
    max_new_tokens: Count = 1024
    batch_tokens: Count = Field(16384, description="Tokens a batch of sampling, padding included.")


class Hyperparameters(Spec):
    """Everything that determines a run besides its policy, its pairs and its seed."""

    objective: str = Field("dpo", description="A name in scripts/lib/objectives.py.")
    beta: Positive = Field(0.1, description="Strength of the tie to the reference, where the objective has one.")
    options: dict[str, Number] = Field({}, description="Further options of the objective, by name.")
    learning_rate: Positive = Field(5e-7, description="Peak; linear warm-up, then cosine to zero.")
    warmup_ratio: Fraction = 0.1
    adam_beta1: BelowOne = 0.9
    adam_beta2: BelowOne = 0.99
    weight_decay: NotNegative = 0.0
    max_gradient_norm: Positive = 1.0
    batch_pairs: Count = Field(32, description="Pairs a step, whatever the micro-batches.")
    epochs: Positive = 2
    max_length: Count = Field(2048, description="Tokens of prompt and response together.")
    truncation: Truncation = Field("cut", description="Responses beyond max_length: cut, or their pairs dropped.")
    precision: Precision = Field("bfloat16", description="Of the forward and backward pass; weights stay in float32.")
    batch_tokens: Count = Field(
        16384, description="Tokens a micro-batch; what a pair's responses share counts once where pairs can be packed."
    )
    gradient_checkpointing: bool = Field(
        False, description="Keep each layer's input alone and compute the layer again in backward: less memory, slower."
    )
    compile: bool = Field(
        False, description="torch.compile of what layers are made of: up to a minute at the start, then faster steps."
    )
    checkpoint_every: Count = Field(100, description="Steps between checkpoints.")
    online: OnlineSpec | None = Field(None, description="Online training; none: on the dataset's own pairs.")

    @model_validator(mode="after")
    def _objective_is_known(self) -> "Hyperparameters":
        known = objective_options()
        if self.objective not in known:
            raise ValueError(f"no objective {self.objective!r}; there are {', '.join(sorted(known))}")
        allowed = known[self.objective] - {"beta"}
        if unknown := set(self.options) - allowed:
            takes = ", ".join(sorted(allowed)) or "no options beside beta"
            raise ValueError(f"{self.objective} has no option {', '.join(sorted(unknown))}; it takes {takes}")
        return self


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
