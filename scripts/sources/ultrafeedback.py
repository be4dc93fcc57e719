"""UltraFeedback (Cui et al., 2023): as published, with four completions per instruction, and binarized."""

import math
import statistics
from collections.abc import Iterable, Iterator

from scripts.lib.config.sources import PromptColumns
from scripts.lib.ids import Messages, normalise
from scripts.sources.conversations import prompt_of, side_of
from scripts.sources.generic import pair
from scripts.sources.records import Dropped, Record
from scripts.sources.row import Row
from scripts.sources.structure import structured

OVERALL, FINE = "overall_score", "fine-grained_score"
TOP = 10.0
POOR, GOOD = 2.0, 4.0
"""Mean ratings of the aspects, 1 to 5: at most POOR, an overall score of TOP was meant as 1; above GOOD, as TOP."""
COLUMNS = PromptColumns()
SCORES = (
    ("score_chosen", "score_rejected"),
    ("chosen_score", "rejected_score"),
    ("chosen-rating", "rejected-rating"),
    ("chosen_rating", "rejected_rating"),
)
"""The column names of the two scores in the published binarizations."""
MODELS = (("chosen-model", "rejected-model"), ("chosen_model", "rejected_model"))


def raw(rows: Iterable[Row]) -> Iterator[Record | Dropped]:
    """One instruction per row, one response per completion.

    Annotations: overall_score and fine-grained_score, and each aspect's Rating under the aspect's name, if the data has
    them. The system prompts that steered the generators are not part of the prompt.

    The first version of the data has overall scores of 10 that were given as 1 (OpenBMB/UltraFeedback issue 8). They
    are told by the mean of the aspects' ratings, as the authors did; a 10 that the ratings neither confirm nor deny
    (the authors asked the annotator again) is left out and counted.
    """
    for row in rows:
        prompt = row.messages("instruction")
        completions = row.parts("completions")
        if not completions:
            yield Dropped("no_response")
        for completion in completions:
            aspects = completion.part("annotations")
            ratings = {
                aspect.lower(): aspects.part(aspect).number("Rating")
                for aspect, rated in aspects.values.items()
                if isinstance(rated, dict) and "Rating" in rated
            }
            overall = {name: completion.number(name) for name in (OVERALL, FINE) if name in completion.values}
            if overall.get(OVERALL) == TOP:
                overall[OVERALL] = _meant(completion, ratings, overall.get(FINE))
            annotations = overall | ratings
            yield Record(prompt, completion.text("response"), completion.text("model"), annotations)


def _meant(completion: Row, ratings: dict[str, float | None], fine: float | None) -> float | None:
    """The overall score behind a 10; None if unknown."""
    known = [rating for rating in ratings.values() if rating is not None and math.isfinite(rating)]
    mean = statistics.mean(known) if known else fine
    if mean is None or mean > GOOD:
        return TOP
    told = "as 1, by its ratings" if mean <= POOR else "left out: its ratings neither confirm nor deny it"
    completion.account.notes[f"{OVERALL} 10 {told}"] += 1
    return 1.0 if mean <= POOR else None


def binarized(rows: Iterable[Row]) -> Iterator[Record | Dropped]:
    """One pair per row, its sides text or messages. Annotations: ``preferred``, and ``score`` if the data has scores.

    If a row includes all the responses that the pair was chosen from (SimPO's datasets: all_generated_responses,
    all_rm_scores), those are returned too, with the annotation ``rm_score``.
    """
    for row in rows:
        sides = [side_of(row, column, COLUMNS) for column in ("chosen", "rejected")]
        given = list(pair(sides, _scores(row), _models(row)))
        if row.has("all_generated_responses"):
            yield from _with_all_responses(row, given)
        else:
            yield from given


def _scores(row: Row) -> list[dict[str, float | None]]:
    metadata = row.part("metadata") if isinstance(structured(row.get("metadata")), dict) else row
    for at in (row, metadata):
        for columns in SCORES:
            if all(column in at.values for column in columns):
                return [{"score": at.number(column)} for column in columns]
    return [{}, {}]


def _models(row: Row) -> tuple[str, str]:
    for chosen, rejected in MODELS:
        if row.has(chosen) and row.has(rejected):
            return row.text(chosen), row.text(rejected)
    return "", ""


def _with_all_responses(row: Row, given: list[Record | Dropped]) -> Iterator[Record | Dropped]:
    """All sampled responses, those of the pair with its annotations; then those of the pair that are not among them."""
    texts = row.items("all_generated_responses")
    scores = row.items("all_rm_scores") if row.has("all_rm_scores") else [None] * len(texts)
    if len(scores) != len(texts):
        row.refuse("all_rm_scores", scores, f"a list of {len(texts)} numbers, one per response")
    of_pair = {normalise(record.response): record for record in given if isinstance(record, Record)}
    prompt: Messages = next(iter(of_pair.values())).prompt if of_pair else prompt_of(row, COLUMNS)
    for at, (text, score) in enumerate(zip(texts, scores, strict=True)):
        sample = Row(f"{row.where}, response {at}", {"response": text, "rm_score": score})
        response = sample.text("response")
        known = of_pair.pop(normalise(response), None)
        annotations = {"rm_score": sample.number("rm_score")} if row.has("all_rm_scores") else {}
        if known:
            annotations |= known.annotations
        yield Record(prompt, response, known.generator if known else "", annotations)
    yield from (record for record in given if isinstance(record, Dropped))
    yield from of_pair.values()
