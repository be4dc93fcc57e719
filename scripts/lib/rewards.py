"""Scorers: models and rules that score one response at a time.

| kind         | a response's score                                                            |
|--------------|-------------------------------------------------------------------------------|
| oracle       | the didactic world's true reward                                              |
| length       | minus its distance from a number of words                                     |
| grades       | its grade of an answer to an arithmetic story, 1 to 5                         |
| llm_grades   | the grade that an LLM gives it, 1 to 5, having seen the problem's solution    |
| verifier     | whether its final answer is that of the problem's solution                    |
| form         | how well verses or a slogan of the didactic world keep the form asked for     |
| annotation   | the score that came with the data, looked up by the response's id             |
| reward_model | the output of a Hugging Face sequence classifier that reads the conversation  |
| scratch      | the same, for a small reward model trained here                               |

Scores of different scorers have different units; only their order within a prompt is comparable.
"""

import logging
import math
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from scripts.lib.config.scorers import (
    AnnotationScorer,
    FormScorer,
    GradesScorer,
    LengthScorer,
    LlmGradesScorer,
    OracleScorer,
    RewardModelScorer,
    ScorerSpec,
    ScratchScorer,
    VerifierScorer,
)
from scripts.lib.errors import InputError
from scripts.lib.ids import Messages, prompt_id, response_id
from scripts.lib.pieces import Pieces
from scripts.lib.schemas import ANNOTATIONS, RESPONSES
from scripts.lib.tables import read_batches, read_table
from scripts.lib.texts import no_family
from scripts.lib.world.grades import grade
from scripts.lib.world.oracle import form, reward

if TYPE_CHECKING:
    from scripts.lib.encoding import Rules

SCORER_CARD = "scorer.json"
"""The card of a reward model trained here, next to its files."""

log = logging.getLogger(__name__)

Item = tuple[Messages, str]
"""A prompt and one response to it."""


class Scorer(Protocol):
    """Anything that scores responses one by one.

    threads: how many CPU threads its scores depend on (scripts/lib/threads.py); None if on none.
    """

    threads: int | None

    def score(self, items: Sequence[Item]) -> list[float | None]:
        """The score of each item, higher is better; None if this scorer has none. Never NaN or infinite."""
        ...


class Oracle:
    """The didactic world's true reward, for the last user turn."""

    threads = None

    def score(self, items: Sequence[Item]) -> list[float | None]:
        return [reward(_last_user_turn(prompt), response) for prompt, response in items]


class Length:
    """A synthetic reward of "Preference Fine-Tuning of LLMs Should Leverage Suboptimal, On-Policy Data".

    -|words - target| / scale; words are what whitespace separates. The paper's are of the same kind, in tokens.
    """

    threads = None

    def __init__(self, target: float, scale: float) -> None:
        self.target, self.scale = target, scale

    def score(self, items: Sequence[Item]) -> list[float | None]:
        return [-abs(len(response.split()) - self.target) / self.scale for _, response in items]


class Grades:
    """The didactic world's grades, for the last user turn."""

    threads = None

    def score(self, items: Sequence[Item]) -> list[float | None]:
        return [float(grade(_last_user_turn(prompt), response)) for prompt, response in items]


class Form:
    """The didactic world's rules of form; a response to a prompt that does not ask for the part has no score."""

    threads = None

    def __init__(self, part: str) -> None:
        self.part = part

    def score(self, items: Sequence[Item]) -> list[float | None]:
        return [form(_last_user_turn(prompt), response, self.part) for prompt, response in items]


class Annotation:
    """Scores that came with the data, by response id."""

    threads = None

    def __init__(self, values: dict[str, float]) -> None:
        self.values = values

    def score(self, items: Sequence[Item]) -> list[float | None]:
        return [self.values.get(response_id(prompt_id(prompt), response)) for prompt, response in items]


class Reader(Protocol):
    """A sequence classifier with one output, in any backend."""

    name: str
    tokenizer: Any

    def encode(self, prompt: Messages, response: str, max_length: int) -> list[int] | None:
        """Token ids of a conversation; None if ``max_length`` leaves no token of the response."""
        ...

    def classify(
        self,
        sequences: Sequence[list[int]],
        batch_tokens: int,
        pieces: Pieces | None = None,
        prompts: Sequence[Hashable] | None = None,
    ) -> list[float]:
        """The output for each sequence of token ids, in the order given; ``pieces`` store finished outputs.

        prompts: one per sequence; sequences of the same prompt share their beginning.
        """
        ...


class RewardModel:
    """The single output of a sequence classifier, its chat template applied once.

    A conversation of more than ``max_length`` tokens is cut at its end, as by transformers' own truncation, and counted
    in the log. If that leaves no token of the response, the score would not depend on it: None. So is that of a
    conversation that the chat template refuses, if ``rules`` say so. ``pieces`` store finished outputs of one call to
    score.
    """

    def __init__(
        self,
        classifier: Reader,
        max_length: int,
        batch_tokens: int,
        pieces: Pieces | None = None,
        rules: "Rules | None" = None,
    ) -> None:
        self.classifier = classifier
        self.max_length = max_length
        self.batch_tokens = batch_tokens
        self.pieces = pieces
        self.rules = rules

    def score(self, items: Sequence[Item]) -> list[float | None]:
        encoded = self._encoded(items)
        kept = [at for at, each in enumerate(encoded) if each is not None]
        full = sum(len(encoded[at]) == self.max_length for at in kept)
        log.info("%d responses cut at max_length %d or just full", full, self.max_length)
        prompts = [prompt_id(items[at][0]) for at in kept]
        values = self.classifier.classify([encoded[at] for at in kept], self.batch_tokens, self.pieces, prompts)
        scores: list[float | None] = [None] * len(items)
        for at, value in zip(kept, values, strict=True):
            scores[at] = self._finite(value, items[at])
        return scores

    @property
    def threads(self) -> int | None:
        from scripts.lib.threads import cpu_threads  # torch takes seconds to import

        return cpu_threads()

    def _encoded(self, items: Sequence[Item]) -> list[list[int] | None]:
        from scripts.lib.encoding import RULES, Encoder  # transformers takes seconds to import

        def place(at: int) -> str:
            prompt, response = items[at]
            return f"prompt {prompt_id(prompt)}, response {response_id(prompt_id(prompt), response)}"

        encoder = Encoder(self.classifier.tokenizer, self.rules or RULES, "the scorer")
        encoded = encoder.conversations(items, self.classifier.encode, self.max_length, place)
        if encoder.spelt or encoder.dropped:
            log.info("%d conversations spell control tokens, dropped: %s", encoder.spelt, dict(encoder.dropped))
        return encoded

    def _finite(self, value: float, item: Item) -> float:
        if not math.isfinite(value):
            prompt, response = item
            raise InputError(
                f"response {response_id(prompt_id(prompt), response)}",
                f"its score by {self.classifier.name} is {value}",
                "set the scorer's precision to float32; if that does not help, the model's weights are broken",
            )
        return value


def scorer_of(
    spec: ScorerSpec,
    annotations: Path | None = None,
    model_dir: Path | None = None,
    pieces: Pieces | None = None,
    verdicts: Path | None = None,
) -> Scorer:
    """The scorer described by ``spec``.

    annotations: table to look up (kind annotation). model_dir: folder of the trained model (kind scratch).
    pieces: where a model stores finished outputs, for one call to score. verdicts: folder in which an LLM's answers are
    kept (kind llm_grades).
    """
    match spec:
        case OracleScorer():
            return Oracle()
        case LengthScorer():
            return Length(spec.words, spec.scale)
        case GradesScorer():
            return Grades()
        case LlmGradesScorer():
            from scripts.lib.llm_grades import LlmGrades

            if verdicts is None:
                raise InputError("--verdicts", f"{spec.model} costs money", "add --verdicts, a folder for its answers")
            return LlmGrades(spec, verdicts)
        case VerifierScorer():
            from scripts.lib.verifier import Verifier

            return Verifier(spec)
        case FormScorer():
            return Form(spec.part)
        case AnnotationScorer():
            return Annotation(_annotated(annotations, spec.annotation))
        case RewardModelScorer():
            from scripts.lib.encoding import Rules

            classifier = {"transformers": transformers, "vllm": vllm}[spec.backend](spec)
            rules = Rules(spec.refused, spec.control_in_text)
            return RewardModel(classifier, spec.max_length, spec.batch_tokens, pieces, rules)
        case ScratchScorer():
            from scripts.lib.classifiers import load_own
            from scripts.lib.encoding import Rules

            if model_dir is None:
                raise InputError("--model-dir", "a scratch scorer needs its folder", "add --model-dir")
            classifier = load_own(model_dir / SCORER_CARD, spec.max_length)
            return RewardModel(classifier, spec.max_length, spec.batch_tokens, pieces, Rules(refused="drop"))


def transformers(spec: RewardModelScorer) -> Reader:
    from scripts.lib.classifiers import load_classifier  # torch takes seconds to import

    return load_classifier(
        spec.model, spec.revision, spec.precision, spec.max_length, spec.trust_remote_code, spec.template_date
    )


def vllm(spec: RewardModelScorer) -> Reader:
    from scripts.lib.vllm_backend import VllmClassifier

    return VllmClassifier(spec)


def annotated(responses: Path, family: str, annotations: Path, annotation: str) -> tuple[pd.DataFrame, int]:
    """A family's annotated scores (response_id, score), in the table's order, and its number of responses.

    Uses ids only: no text is read. Raises InputError if there is no such family or annotation.
    """
    table = read_table(responses, RESPONSES, ["response_id", "family"])
    ids = table.loc[table["family"] == family, "response_id"]
    if ids.empty:
        raise no_family(responses, family, table["family"])
    found = _annotations(annotations, annotation)
    at = pc.index_in(pa.array(ids), value_set=pa.array(found["response_id"]))
    has = at.is_valid().to_numpy(zero_copy_only=False)
    scores = found["score"].to_numpy()[at.drop_null().to_numpy()]
    return pd.DataFrame({"response_id": ids[has].array, "score": scores}), len(ids)


def _annotated(path: Path | None, annotation: str) -> dict[str, float]:
    if path is None:
        raise InputError(
            f"annotation {annotation}",
            "came with the data, and says nothing of responses that are made here",
            "choose the oracle or a reward model",
        )
    found = _annotations(path, annotation)
    return dict(zip(found["response_id"], found["score"], strict=True))


def _annotations(path: Path, annotation: str) -> pd.DataFrame:
    """(response_id, annotation, score) of one annotation."""
    known: set[str] = set()
    found = []
    for batch in read_batches(path, ANNOTATIONS, rows=1 << 20):
        known.update(batch["annotation"].unique().to_pylist())
        found.append(batch.filter(pc.equal(batch["annotation"], annotation)))
    table = pa.concat_tables(found).to_pandas() if found else pd.DataFrame()
    if table.empty:
        raise InputError(
            path,
            f"no annotation {annotation!r}",
            f"name one of those that it has: {', '.join(sorted(known)) or 'none at all'}",
        )
    return table


def _last_user_turn(prompt: Messages) -> str:
    for turn in reversed(prompt):
        if turn["role"] == "user":
            return turn["content"]
    raise InputError(f"prompt {prompt_id(prompt)}", "has no turn of the user", "drop it where the source is read")
