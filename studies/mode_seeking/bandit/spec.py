"""The sizes and hyperparameters of the didactic bandit."""

from pydantic import Field

from scripts.lib.config.base import Count, Distinct, NotNegative, Number, Positive, Seed, Spec


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
    differ: Distinct[Count] = Field(
        [1, 3, 9],
        min_length=2,
        description="In how many tokens the rejected differ from the chosen, where DPO is trained on fixed pairs.",
    )
    unshifted: bool = Field(True, description="Runs without reuse again, log-probs read as the authors' code does.")
    dpo_beta: Positive = 0.05
    ipo_eta: Positive = 0.05
    reward_beta: Positive = Field(1.0, description="Of reward-weighted regression: weights exp(reward / beta).")
    clip: Positive = Field(0.2, description="PPO's.")
    negative_weight: NotNegative = Field(0.5, description="Of the worst response in best-of-n with a negative term.")
    evaluated_every: Count = Field(description="Gradient steps between measurements.")
    evaluated_on: Count = Field(64, description="Responses a measurement samples.")

    @property
    def moderate_reuse(self) -> int | None:
        """The least reuse of on-policy samples above none; None if they are never reused."""
        return min((each for each in self.reuse if each > 1), default=None)
