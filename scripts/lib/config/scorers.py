"""Scorers (pointwise) and rankers (pairwise)."""

from typing import Annotated, Literal

from pydantic import Field

from scripts.lib.config.base import Count, Distinct, LocalPath, NotNegative, PairsRef, Positive, Spec
from scripts.lib.config.endpoints import Endpoint
from scripts.lib.config.engines import Inference
from scripts.lib.config.policies import Architecture, Optimisation, Precision, Templated, Threads, Truncation


class OracleScorer(Spec):
    """The true reward of the didactic world."""

    kind: Literal["oracle"]


class LengthScorer(Spec):
    """A synthetic reward: the nearer a response's number of words is to a target, the better, whatever they say."""

    kind: Literal["length"]
    words: NotNegative = Field(description="The target, without regard to the prompt; 0: the shorter the better.")
    scale: Positive = Field(1.0, description="Words off the target that cost a score of 1.")


class GradesScorer(Spec):
    """Grades from 1 to 5 of answers to the didactic world's arithmetic stories, by a judge that knows the solution."""

    kind: Literal["grades"]


class Solutions(Spec):
    """Problems with their solutions, one JSON object a line."""

    path: LocalPath
    prompt: str = Field("problem", description="The column with the problem, as it is asked.")
    solution: str = Field("solution", description="The column with a solution that ends in the final answer.")


class LlmGradesScorer(Endpoint):
    """Grades from 1 to 5 of answers to problems, by an LLM that sees the solution; answers are kept and paid once."""

    kind: Literal["llm_grades"]
    solutions: Distinct[Solutions] = Field(min_length=1)
    max_tokens: Count = Field(512, description="Of an answer, which gives reasons and then the grade.")


class FormScorer(Spec):
    """How well verses and slogans of the didactic world keep the form that their prompt asks for, from 0 to 1."""

    kind: Literal["form"]
    part: Literal["all", "rows", "words", "rhyme", "title", "length", "content"] = Field(
        "all", description="One rule, of verses (the first four) or of slogans (the others); all: the mean of a task's."
    )


class AnnotationScorer(Spec):
    """The annotation that came with the data."""

    kind: Literal["annotation"]
    annotation: str = Field(description="Its name in the source, such as overall_score or rank.")


class RewardModelScorer(Inference, Templated):
    """A Hugging Face sequence classifier with one output."""

    kind: Literal["reward_model"]
    model: LocalPath = Field(description="Hub id or local folder.")
    revision: str | None = None
    max_length: Count = 4096
    threads: Threads = None
    trust_remote_code: bool = Field(False, description="Run the Python code that comes with the model: read it first.")


class ScratchScorer(Architecture, Optimisation):
    """A small reward model trained here on preference pairs (Bradley-Terry)."""

    kind: Literal["scratch"]
    pairs: Distinct[PairsRef] = Field(min_length=1, description="The pairs datasets to learn from.")
    max_length: Count = 512
    truncation: Truncation = Field("cut", description="Pairs beyond max_length: cut, or dropped when learning.")
    batch_tokens: Count = 16384


class VerifierScorer(Spec):
    """1 if a response's final answer is that of the problem's solution, else 0; by math-verify."""

    kind: Literal["verifier"]
    solutions: Distinct[Solutions] = Field(min_length=1)


ScorerSpec = Annotated[
    OracleScorer
    | LengthScorer
    | GradesScorer
    | LlmGradesScorer
    | FormScorer
    | VerifierScorer
    | AnnotationScorer
    | RewardModelScorer
    | ScratchScorer,
    Field(discriminator="kind"),
]


class ScratchRanker(Architecture, Optimisation):
    """A small pairwise ranker trained here: reads a prompt and two responses, and predicts which one wins."""

    kind: Literal["scratch"]
    pairs: Distinct[PairsRef] = Field(min_length=1, description="The pairs datasets to learn from.")
    max_length: Count = 1024
    truncation: Truncation = Field("cut", description="Pairs beyond max_length: cut, or dropped when learning.")
    batch_tokens: Count = 16384


Length = Annotated[Count, Field(ge=4)]
"""Tokens of a part of PairRM's input, three special ones included."""


class PairRMRanker(Spec):
    """PairRM, or another pairwise ranker in its layout: a DeBERTa that reads a prompt and two responses."""

    kind: Literal["pair_rm"]
    model: LocalPath = Field(description="Hub id or local folder, such as llm-blender/PairRM-hf or llm-blender/PairRM.")
    revision: str | None = Field(None, description="The hub commit; name one to make a run repeatable.")
    as_conversation: bool = Field(
        False,
        description="Write a prompt of one turn as a conversation too, as the authors' compare_conversations does.",
    )
    source_length: Length = Field(1224, description="Tokens of the prompt; the end of a longer one is cut.")
    candidate_length: Length = Field(
        412, description="Tokens of each response, which also gets half of what the prompt leaves of its own."
    )
    precision: Precision = "float32"
    batch_tokens: Count = Field(16384, description="Tokens a batch, padding included.")
    threads: Threads = None


RankerSpec = Annotated[ScratchRanker | PairRMRanker, Field(discriminator="kind")]
