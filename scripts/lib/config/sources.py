"""Sources (where text comes from) and prompt sets (which of it is kept)."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from scripts.lib.config.base import (
    Count,
    Distinct,
    Fraction,
    LocalPath,
    Name,
    NoTruth,
    PositiveFraction,
    Seed,
    SourceRef,
    Spec,
    SuiteRef,
)
from scripts.lib.errors import InputError
from scripts.lib.families import families


class StoredSource(Spec):
    """A hub id, or a local file or folder. A local path needs no network."""

    path: LocalPath = Field(
        description="Hub id; or a local file: json (an array or one object per line), jsonl, csv, parquet, the first "
        "three also with .gz; or a folder of such files, such as a downloaded hub repository."
    )
    subset: str | None = Field(None, description="The configuration name, of a hub dataset or a folder like one.")
    split: str = Field("train", description="The split to read, of a hub dataset or a folder; a file is read whole.")
    revision: str | None = Field(None, description="The hub commit to read; name one to make a run repeatable.")
    limit: Count | None = Field(None, description="Keep the first so many prompts of those that are fit to keep.")
    leave_out: Distinct[str] = Field(
        [],
        description="Columns, or fields of messages, that look like a part of the prompt or response (system, input, "
        "tools, reasoning_content, ...) and are none here. A source that has others is refused (docs/sources.md).",
    )

    reasoning: str | None = Field(
        None,
        description="The field of an assistant's messages with its reasoning, such as reasoning_content: read into the "
        "text, as <think> ... </think>, and given to chat templates as they take it.",
    )

    @model_validator(mode="after")
    def _reasoning_is_read_or_left_out(self) -> "StoredSource":
        if self.reasoning in self.leave_out:
            raise ValueError(f"{self.reasoning} is both named as reasoning and left out")
        return self


class UltraFeedbackSource(StoredSource):
    """UltraFeedback as published: one instruction, four completions with annotations."""

    kind: Literal["ultrafeedback"]


class UltraFeedbackBinarizedSource(StoredSource):
    """UltraFeedback binarized: prompt, chosen, rejected (text or messages), two scores.

    Also datasets that include all sampled responses with the pair (all_generated_responses, all_rm_scores).
    """

    kind: Literal["ultrafeedback_binarized"]


class OpenAssistantSource(StoredSource):
    """OASST1 or OASST2, as flat messages or nested trees; first turns only."""

    kind: Literal["open_assistant"]
    languages: Distinct[str] | None = Field(
        None, description="Keep prompts in these languages, as the data spells them."
    )
    min_responses: Count = Field(3, description="Drop prompts with fewer responses (the paper: 3).")


class HHSource(StoredSource):
    """HH-RLHF: two transcripts that differ in their last assistant turn."""

    kind: Literal["hh_rlhf"]


class AlpacaEvalSource(StoredSource):
    """AlpacaEval model outputs: instruction, output, generator."""

    kind: Literal["alpaca_eval"]


class PromptColumns(Spec):
    """What makes up a prompt: a system turn, earlier turns, the prompt itself, and what it is about."""

    prompt: str = Field("prompt", description="Text, or messages.")
    system: str | None = Field(None, description="The column with the system prompt.")
    history: str | None = Field(
        None, description="The column with earlier turns: messages, or [user, assistant] pairs."
    )
    input: str | None = Field(None, description="The column with text that follows the prompt after a blank line.")


class ResponseColumns(PromptColumns):
    response: str = "response"
    generator: str | None = Field("generator", description="The column that names who wrote the response.")
    annotations: Distinct[str] = Field([], description="Numeric columns to keep as annotations.")


class ResponsesSource(StoredSource):
    """One response per row, in columns that you name."""

    kind: Literal["responses"]
    columns: ResponseColumns = ResponseColumns()


class PairColumns(PromptColumns):
    chosen: str = "chosen"
    rejected: str = "rejected"
    chosen_score: str | None = None
    rejected_score: str | None = None


class PairsSource(StoredSource):
    """One preference pair per row, in columns that you name."""

    kind: Literal["pairs"]
    columns: PairColumns = PairColumns()


class WinnerColumns(Spec):
    """One column per outcome, of which each row marks one by 1 or true."""

    first: str = Field(description="The column that marks: the first response won.")
    second: str = Field(description="The column that marks: the second response won.")
    tie: str | None = Field(None, description="The column that marks: neither won.")


class ComparisonColumns(PromptColumns):
    first: str = Field(description="One response, or the conversation that ends in it.")
    second: str = Field(description="The other.")
    winner: str | WinnerColumns = Field(
        description="The column that says which of the two won; or the columns, if there is one per outcome."
    )
    first_generator: str | None = Field(None, description="The column that names who wrote the first response.")
    second_generator: str | None = None


Told = Annotated[str | int, NoTruth]


class Outcomes(Spec):
    """What the winner's column says; every other value is refused, a blank one counted."""

    first: Distinct[Told] = Field(["model_a"], min_length=1, description="The values for: the first response won.")
    second: Distinct[Told] = Field(["model_b"], min_length=1, description="The values for: the second response won.")
    tie: Distinct[Told] = Field(["tie", "tie (bothbad)"], description="The values for: neither won.")

    @model_validator(mode="after")
    def _say_one_thing_each(self) -> "Outcomes":
        told = [str(value) for values in (self.first, self.second, self.tie) for value in values]
        if repeated := sorted({value for value in told if told.count(value) > 1}):
            raise ValueError(f"{', '.join(repeated)} stands for two outcomes")
        return self


class ComparisonsSource(StoredSource):
    """Two responses per row, and a column that says which of them won, as human preferences are mostly stored."""

    kind: Literal["comparisons"]
    columns: ComparisonColumns
    outcomes: Outcomes = Field(Outcomes(), description="The default: as Chatbot Arena writes them.")
    ties: Literal["drop", "keep"] = Field(
        "drop", description="keep: the responses of a tie are kept, without a preference between them."
    )

    @model_validator(mode="after")
    def _outcomes_are_of_one_column(self) -> "ComparisonsSource":
        if isinstance(self.columns.winner, WinnerColumns) and self.outcomes != Outcomes():
            raise ValueError("outcomes are the values of one winner column, and winner names several")
        return self


class ConversationColumns(Spec):
    messages: str = Field("messages", description="The whole conversation, as messages.")
    system: str | None = Field(None, description="The column with the system prompt.")


class ConversationsSource(StoredSource):
    """One whole conversation per row, as UltraChat has them: what policies of kind supervised learn from."""

    kind: Literal["conversations"]
    columns: ConversationColumns = ConversationColumns()


def _rising(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] >= bounds[1]:
        raise ValueError("the first bound of a crowd's competences is not below the second")
    return bounds


Competences = Annotated[tuple[Fraction, Fraction], AfterValidator(_rising)]
"""The least and the greatest competence of a crowd."""


Skill = Literal["copying", "reversing", "sorting", "form", "arithmetic", "facts", "choices", "verses", "slogans"]


class WorldSource(Spec):
    """Prompts and responses of the didactic world."""

    kind: Literal["world"]
    prompts: Count = Field(description="How many prompts.")
    skills: Distinct[Skill] = Field(
        [], description="Ask for these alone, in turn; none: for all but verses and slogans."
    )
    generators: dict[Name, Fraction | Competences] = Field(
        min_length=1,
        description="Generator name -> competence: 0 knows nothing of the world, 1 knows all of it. Two numbers are "
        "the bounds of a crowd, whose every response has a competence drawn uniformly between them.",
    )
    seed: Seed = Field(0, description="Seed of the prompts and of the generators' slips.")


SourceSpec = Annotated[
    UltraFeedbackSource
    | UltraFeedbackBinarizedSource
    | OpenAssistantSource
    | HHSource
    | AlpacaEvalSource
    | ResponsesSource
    | PairsSource
    | ComparisonsSource
    | ConversationsSource
    | WorldSource,
    Field(discriminator="kind"),
]


LabelledSource = UltraFeedbackBinarizedSource | HHSource | PairsSource | ComparisonsSource
"""Sources in which every row says which of two responses is preferred."""


class PromptSetSpec(Spec):
    """Which prompts and responses of one or more sources are kept, and how they are divided into families."""

    sources: Distinct[SourceRef] = Field(min_length=1, description="Merged in this order; equal prompts become one.")
    prompts_in: Distinct[SourceRef] = Field(
        [], description="Keep only prompts that stand in every one of these sources."
    )
    generators: list[str] = Field(
        [],
        description="Keep the responses of these generators, each a family of its own. "
        "Empty: keep all, as one family named after the prompt set.",
    )
    min_responses: Count = Field(1, description="Drop prompts with fewer distinct responses.")
    near_duplicates: PositiveFraction | None = Field(
        None, description="Drop prompts whose word-trigram Jaccard similarity to an earlier prompt is at least this."
    )
    unseen_by: Distinct[SuiteRef] = Field(
        [],
        description="Drop prompts that stand in these evaluation suites; where near_duplicates is set, also those "
        "as similar as that to a prompt there, or that share of whose trigrams stands in it, or of its in them.",
    )
    limit: Count | None = Field(None, description="Keep so many prompts, chosen by their ids, which are hashes.")

    @model_validator(mode="after")
    def _names_fit_together(self) -> "PromptSetSpec":
        if strangers := [name for name in self.prompts_in if name not in self.sources]:
            raise ValueError(f"prompts_in names {', '.join(strangers)}, which sources does not")
        try:
            families("prompt_set", self.generators)
        except InputError as error:
            raise ValueError(error.told) from error
        return self
