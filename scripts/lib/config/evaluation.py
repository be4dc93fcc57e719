"""Evaluation suites: what a policy is measured by."""

from typing import Annotated, Literal

from pydantic import Field

from scripts.lib.config.base import Count, Name, ScorerRef, Spec
from scripts.lib.config.policies import Precision
from scripts.lib.config.sampling import SamplingSpec


class HarnessSuite(Spec):
    """A task of lm-eval: one of its own, or one that the didactic world brings."""

    kind: Literal["harness"]
    task: str = Field(description="lm-eval's name of the task, or the didactic world's (world_*).")
    metric: str = Field(description="The metric to report, as lm-eval spells it, such as exact_match,strict-match.")
    shots: Annotated[int, Field(ge=0)] = 0
    data: str | None = Field(
        None, description="world, or a local file, folder or zip in place of the task's hub dataset (docs/suites.md)."
    )
    size: Count = Field(200, description="Questions to make, where data is world.")
    limit: Count | None = Field(None, description="Ask only the first so many questions (of each subtask).")
    batch_size: Count = 32
    precision: Precision = "bfloat16"


class WorldJudge(Spec):
    """The didactic world's judge: the oracle's difference, with noise and a liking for length."""

    kind: Literal["world"]


class ScorerJudge(Spec):
    """A scorer's difference, squashed to a preference."""

    kind: Literal["scorer"]
    scorer: ScorerRef
    temperature: Annotated[float, Field(gt=0.0)] = 1.0


class AnnotatorJudge(Spec):
    """An annotator configuration of alpaca-eval (an LLM behind an API)."""

    kind: Literal["alpaca_eval"]
    annotators_config: str = "weighted_alpaca_eval_gpt4_turbo"


JudgeSpec = Annotated[WorldJudge | ScorerJudge | AnnotatorJudge, Field(discriminator="kind")]


class ReferenceColumns(Spec):
    """What a file of reference outputs calls its columns."""

    instruction: str = "instruction"
    output: str = "output"
    generator: str = "generator"


class WinRateSuite(Spec):
    """Win rate and length-controlled win rate against reference outputs, through alpaca-eval."""

    kind: Literal["win_rate"]
    data: str = Field(description="world; a local file of reference outputs; or owner/dataset/file on the hub.")
    columns: ReferenceColumns = ReferenceColumns()
    baseline: str | None = Field(None, description="The generator to judge against, where data holds several.")
    size: Count = Field(200, description="Instructions to make, where data is world.")
    limit: Count | None = Field(None, description="Use only the first so many instructions.")
    judge: JudgeSpec
    sampling: SamplingSpec = SamplingSpec()
    metric: Literal["win_rate", "length_controlled_winrate"] = "length_controlled_winrate"


SuiteSpec = Annotated[HarnessSuite | WinRateSuite, Field(discriminator="kind")]


class EvaluationSpec(Spec):
    """The suites, by the name that the tables use."""

    suites: dict[Name, SuiteSpec]
