"""The study's key in the configuration."""

from collections.abc import Iterator

from pydantic import Field

from scripts.lib.config.base import Count, Distinct, NotNegative, Number, Positive, Seed, Spec
from scripts.lib.config.root import AtlasConfig
from scripts.lib.config.studies import Problem, StudyConfig


class Bandit(Spec):
    """The didactic bandit: a small GPT that writes tokens, with a reward that is the mean of its tokens' rewards."""

    tokens: Count = Field(100, description="The vocabulary; prompts are single tokens of it.")
    length: Count = Field(9, description="The tokens of a response.")
    optima: dict[str, Number] = Field(
        {"far": 70, "near": 20},
        min_length=1,
        description="Name -> c: token a has the reward exp(-((a - c) / scale)^2). The reference has much mass near 20.",
    )
    scale: Positive = 10.0
    seeds: Distinct[Seed] = Field(min_length=1, description="Of the reference, the prompts and the samples.")
    layers: Count = 1
    heads: Count = 2
    width: Count = 32
    prompts: Count = Field(5, description="Prompts of a batch.")
    samples: Count = Field(10, ge=2, description="Responses to each of them.")
    steps: Count = Field(description="Gradient steps of every run.")
    reuse: Distinct[Count] = Field(
        min_length=1,
        description="On-policy: for how many gradient steps a batch is used before the policy samples again.",
    )
    offline_reuse: Count = Field(
        description="How often an offline batch is used; there are steps / offline_reuse of them, from the reference."
    )
    learning_rates: Distinct[Positive] = Field(
        min_length=1, description="Adam's; every row of the table has that with the largest mean final reward."
    )
    unshifted: bool = Field(True, description="Every run again with log-probs as the authors' code gathers them.")
    dpo_beta: Positive = 0.05
    ipo_eta: Positive = 0.05
    reward_beta: Positive = Field(1.0, description="Of reward-weighted regression: weights exp(reward / beta).")
    clip: Positive = Field(0.2, description="PPO's.")
    negative_weight: NotNegative = Field(0.5, description="Of the worst response in best-of-n with a negative term.")
    evaluated_every: Count = Field(description="Gradient steps between measurements.")
    evaluated_on: Count = Field(64, description="Responses a measurement samples.")


class Config(StudyConfig):
    """Preference Fine-Tuning of LLMs Should Leverage Suboptimal, On-Policy Data."""

    bandit: Bandit

    def problems(self, atlas: AtlasConfig) -> Iterator[Problem]:
        """Sizes that do not divide each other."""
        spec = self.bandit
        if spec.width % spec.heads:
            yield ("bandit", "width"), f"{spec.width} is no multiple of {spec.heads} heads", "use a multiple"
        for name, each in (("reuse", max(spec.reuse)), ("offline_reuse", spec.offline_reuse)):
            if each > spec.steps:
                yield ("bandit", name), f"{each} is more than the {spec.steps} steps of a run", "use fewer"
        if spec.steps % spec.offline_reuse:
            yield (
                ("bandit", "offline_reuse"),
                f"does not divide the {spec.steps} steps of a run",
                "use a divisor, so that every offline batch is used equally often",
            )
        if spec.steps % spec.evaluated_every:
            yield ("bandit", "evaluated_every"), f"does not divide the {spec.steps} steps of a run", "use a divisor"
