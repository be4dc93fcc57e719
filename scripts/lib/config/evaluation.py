"""Evaluation suites: how policies are measured."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from scripts.lib.config.base import (
    Count,
    LocalPath,
    Name,
    NoTruth,
    Number,
    PairsRef,
    Positive,
    RankerRef,
    SampleSetRef,
    ScorerRef,
    Seed,
    Spec,
    SuiteRef,
)
from scripts.lib.config.endpoints import Endpoint, Paid
from scripts.lib.config.policies import Precision
from scripts.lib.config.sampling import SamplingSpec

Size = Annotated[Count, Field(description="Questions to make, where data is world.")]
QuestionSeed = Annotated[Seed, Field(description="Another seed makes other questions, where data is world.")]


class HarnessSuite(Spec):
    """A task of lm-eval: one of its own, or one defined by the didactic world."""

    kind: Literal["harness"]
    task: str = Field(description="lm-eval's name of the task, or the didactic world's (world_*).")
    metric: str = Field(description="The metric to report, as lm-eval spells it, such as exact_match,strict-match.")
    shots: Annotated[int, Field(ge=0), NoTruth] = 0
    data: LocalPath | None = Field(
        None, description="world, or a local file, folder or zip in place of the task's hub dataset (docs/suites.md)."
    )
    size: Size = 200
    seed: QuestionSeed = 0
    limit: Count | None = Field(None, description="Ask only the first so many questions (of each subtask).")
    batch_size: Count = 32
    precision: Precision = "bfloat16"


class WorldJudge(Spec):
    """The didactic world's judge: the oracle's difference, with noise and a length bias."""

    kind: Literal["world"]


class ScorerJudge(Spec):
    """The difference of a scorer's scores, mapped to a preference by a sigmoid."""

    kind: Literal["scorer"]
    scorer: ScorerRef
    temperature: Positive = 1.0


class AnnotatorJudge(Paid):
    """An annotator configuration of alpaca-eval (an LLM behind an API)."""

    kind: Literal["alpaca_eval"]
    annotators_config: LocalPath = "weighted_alpaca_eval_gpt4_turbo"


class OpenAIJudge(Endpoint):
    """An LLM behind any OpenAI-compatible endpoint that returns log-probabilities; its key is OPENAI_API_KEY."""

    kind: Literal["openai"]
    prompt: LocalPath = Field(
        "alpaca_eval_clf_gpt4_turbo/alpaca_eval_clf.txt",
        description="A template of alpaca-eval's, or a file of your own, that asks for m or M alone.",
    )
    max_tokens: Count = Field(1, description="Of an answer, whose first token is m or M.")


JudgeSpec = Annotated[WorldJudge | ScorerJudge | AnnotatorJudge | OpenAIJudge, Field(discriminator="kind")]


class ReferenceColumns(Spec):
    """The column names of a file of reference outputs."""

    instruction: str = "instruction"
    output: str = "output"
    generator: str = "generator"


class WinRateSuite(Spec):
    """Win rate and length-controlled win rate against reference outputs, through alpaca-eval."""

    kind: Literal["win_rate"]
    data: LocalPath = Field(description="world; a local file of reference outputs; or owner/dataset/file on the hub.")
    columns: ReferenceColumns = ReferenceColumns()
    baseline: str | None = Field(None, description="The generator to judge against, where data holds several.")
    size: Size = 200
    seed: QuestionSeed = 0
    limit: Count | None = Field(None, description="Use only the first so many instructions.")
    judge: JudgeSpec
    sampling: SamplingSpec = SamplingSpec()
    metric: Literal["win_rate", "length_controlled_winrate"] = "length_controlled_winrate"


class RewardSuite(Spec):
    """The mean score of a policy's samples by a scorer: what measures policies where nobody judges.

    Points are 100 times the score; or, with ``at_least``, percent of the samples.
    """

    kind: Literal["reward"]
    scorer: ScorerRef = Field(description="Any scorer of responses to new prompts; annotations score none.")
    samples_of: SuiteRef | None = Field(
        None, description="A win-rate or reward suite: its samples are scored, and nothing more is sampled."
    )
    data: LocalPath | None = Field(
        None, description="world; a local file of prompts; or owner/dataset/file on the hub."
    )
    task: str = Field("world_alpaca", description="Of data: world: which of its questions.")
    column: str = Field("instruction", description="The column of the prompts in data.")
    at_least: Number | None = Field(None, description="Measure the share of samples with this score or more.")
    size: Size = 200
    seed: QuestionSeed = 0
    limit: Count | None = Field(None, description="Use only the first so many prompts.")
    sampling: SamplingSpec = SamplingSpec()

    @model_validator(mode="after")
    def _has_prompts(self) -> Self:
        if (self.samples_of is None) == (self.data is None):
            raise ValueError("name either samples_of, another suite, or data, prompts of its own")
        return self


class PreferenceSuite(Spec):
    """How often a policy orders the responses of held-out pairs as the pairs do, from log-probs alone.

    By its implicit reward against its start, or by its mean log-likelihood per token. Prompt sets that runs train on
    name the suite under unseen_by.
    """

    kind: Literal["preference"]
    pairs: PairsRef = Field(description="The held-out pairs, over a prompt set that no run trains on.")
    metric: Literal["implicit_accuracy", "likelihood_accuracy"] = "implicit_accuracy"


class BoundarySuite(Spec):
    """How often a policy's own samples are preferred to off-policy responses: the alignment stage that it is in.

    For each prompt, two samples against both responses of a pair (Algorithm 1 of "Is On-Policy Data Always the Best
    Choice for Direct Preference Optimization-based LM Alignment?").
    """

    kind: Literal["boundary"]
    pairs: PairsRef = Field(description="The off-policy pairs.")
    samples: SampleSetRef = Field(description="The policy's own samples of the same prompts, two or more each.")
    ranker: RankerRef | None = Field(None, description="Who compares two responses, reading both; this or scorer.")
    scorer: ScorerRef | None = Field(None, description="Whose scores compare them; this or ranker.")
    prompts: Annotated[Count, Field(ge=2)] = Field(
        2000, description="The most prompts to compare, chosen by their ids."
    )

    @model_validator(mode="after")
    def _compared_by_one(self) -> Self:
        if (self.ranker is None) == (self.scorer is None):
            raise ValueError("give exactly one of ranker and scorer")
        return self


SuiteSpec = Annotated[
    HarnessSuite | WinRateSuite | RewardSuite | PreferenceSuite | BoundarySuite, Field(discriminator="kind")
]


class EvaluationSpec(Spec):
    """The suites, by the name that tables use."""

    suites: dict[Name, SuiteSpec]
