"""From any source's responses to its three tables: normalised, with ids, merged, every drop counted.

What the tables hold depends on the rows alone, not on their order (unless ``limit`` cuts them).
"""

import math
import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd

from scripts.lib.ids import Messages, normalise, prompt_id, response_id


@dataclass(frozen=True)
class Record:
    """One response as a source has it. An annotation is None where the data names it and gives no number."""

    prompt: Messages
    response: str
    generator: str = ""
    annotations: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Dropped:
    """Responses that a source's format rules out, or a row without any, which counts as one."""

    reason: str
    responses: int = 1


@dataclass(frozen=True)
class Tables:
    """prompts (PROMPTS), responses (RESPONSES), annotations (ANNOTATIONS), and the counts of the card."""

    prompts: pd.DataFrame
    responses: pd.DataFrame
    annotations: pd.DataFrame
    counts: dict


@dataclass
class _Response:
    """All copies of one response to one prompt."""

    text: str
    generators: list[str] = field(default_factory=list)
    scores: dict[str, list[float]] = field(default_factory=dict)


def collect(
    records: Iterable[Record | Dropped], source: str, split: str, min_responses: int = 1, limit: int | None = None
) -> Tables:
    """Tables of the records that are fit to keep.

    - Equal prompts are one prompt; equal responses to it are one response, under the generator that is first by
      name. A response without a generator is under the source's name.
    - An annotation of a response that stands more than once is the mean of what is given: the share of its
      pairs that it wins, for ``preferred``.
    - ``limit`` keeps the first prompts of those left when all else is dropped.

    ``counts["responses_read"] == counts["responses"] + sum(counts["dropped"].values())``.
    """
    prompts: dict[str, Messages] = {}
    texts: dict[str, dict[str, _Response]] = {}
    read, dropped, skipped = 0, Counter(), Counter()
    for record in records:
        read += record.responses if isinstance(record, Dropped) else 1
        if isinstance(record, Dropped):
            dropped[record.reason] += record.responses
            continue
        if reason := _flaw(record):
            dropped[reason] += 1
            continue
        prompt = [{"role": turn["role"], "content": normalise(turn["content"])} for turn in record.prompt]
        its_id = prompt_id(prompt)
        prompts.setdefault(its_id, prompt)
        text = normalise(record.response)
        response = texts.setdefault(its_id, {}).setdefault(response_id(its_id, text), _Response(text))
        dropped["duplicate_response"] += bool(response.generators)
        response.generators.append(normalise(record.generator) or source)
        for name, score in record.annotations.items():
            if score is None:
                skipped["missing"] += 1
            elif not math.isfinite(score):
                skipped["not_finite"] += 1
            else:
                response.scores.setdefault(name, []).append(score)

    kept: list[str] = []
    for its_id, responses in texts.items():
        if len(responses) < min_responses:
            dropped["too_few_responses"] += len(responses)
        elif limit is not None and len(kept) == limit:
            dropped["over_limit"] += len(responses)
        else:
            kept.append(its_id)
    tables = _tables(sorted(kept), prompts, texts, source, split)
    counts = {
        "responses_read": read,
        "prompts": len(tables.prompts),
        "responses": len(tables.responses),
        "generators": _counted(tables.responses["family"]),
        "annotations": _counted(tables.annotations["annotation"]),
        "annotations_skipped": dict(sorted(skipped.items())),
        "dropped": {reason: count for reason, count in sorted(dropped.items()) if count},
    }
    return Tables(tables.prompts, tables.responses, tables.annotations, counts)


def _flaw(record: Record) -> str | None:
    """Why a record cannot be kept."""
    turns = record.prompt[1:] if record.prompt and record.prompt[0]["role"] == "system" else record.prompt
    if not turns or not all(normalise(turn["content"]) for turn in record.prompt):
        return "empty_prompt"
    if not normalise(record.response):
        return "empty_response"
    if any(turn["role"] != ("user", "assistant")[at % 2] for at, turn in enumerate(turns)) or len(turns) % 2 == 0:
        return "turns_do_not_alternate"
    try:
        "".join([record.response, record.generator, *(turn["content"] for turn in turns)]).encode("utf-8")
    except UnicodeEncodeError:
        return "not_unicode"
    return None


def _tables(
    kept: list[str], prompts: dict[str, Messages], texts: dict[str, dict[str, _Response]], source: str, split: str
) -> Tables:
    responses, annotations = [], []
    for its_id in kept:
        for key, response in sorted(texts[its_id].items()):
            responses.append((key, its_id, min(response.generators), response.text))
            for name, scores in sorted(response.scores.items()):
                # statistics.mean is exact: the same whatever the rows' order
                annotations.append((key, name, scores[0] if len(scores) == 1 else statistics.mean(scores)))
    return Tables(
        pd.DataFrame(
            [(its_id, prompts[its_id], source, split) for its_id in kept],
            columns=["prompt_id", "prompt", "source", "split"],
        ),
        pd.DataFrame(responses, columns=["response_id", "prompt_id", "family", "response"]),
        pd.DataFrame(annotations, columns=["response_id", "annotation", "score"]),
        {},
    )


def _counted(column: pd.Series) -> dict[str, int]:
    return dict(sorted(Counter(column).items()))
