"""Prompts that stand in an evaluation: the same text, nearly the same, or one inside the other.

Suites word their questions ("Question: ... Answer:", options, worked examples) and training data word them otherwise,
so likeness of the whole texts is not enough: of 1,319 GSM8K questions, a Jaccard similarity of 0.9 finds 23 among
themselves in the harness's wording, containment all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scripts.lib.ids import Messages
from scripts.sources.near_duplicates import incidence, inner_trigrams, near_duplicates, shared

LEAST_WORDS = 8
"""Texts with fewer words are compared as wholes alone: many a text has "what is the capital of" in it."""


@dataclass(frozen=True)
class Found:
    """The suite in which a prompt stands, and whether with the same id."""

    suite: str
    exactly: bool


def text_of(prompt: Messages) -> str:
    """A prompt as it is compared: what its turns say, one after the other."""
    return "\n".join(turn["content"] for turn in prompt)


def contaminated(
    prompts: pd.DataFrame, suites: Sequence[tuple[str, pd.DataFrame]], threshold: float | None
) -> dict[str, Found]:
    """prompt_id -> the first suite that has the prompt, exactly if any has it so.

    prompts, suites: PROMPTS tables. threshold: of ``near_duplicates`` and ``contained``; None looks for the same
    ids alone.
    """
    found: dict[str, Found] = {}
    ids = set(prompts["prompt_id"])
    for suite, table in suites:
        for its_id in ids.intersection(table["prompt_id"]):
            found.setdefault(its_id, Found(suite, exactly=True))
    if threshold is not None and suites:
        others = prompts[~prompts["prompt_id"].isin(found)]
        texts = [text_of(prompt) for prompt in others["prompt"]]
        asked = [(suite, text_of(prompt)) for suite, table in suites for prompt in table["prompt"]]
        questions = [text for _, text in asked]
        near = contained(texts, questions, threshold) | near_duplicates(texts, threshold, questions)
        for at, its_id in enumerate(others["prompt_id"]):
            if at in near:
                found[its_id] = Found(asked[near[at]][0], exactly=False)
    return found


def contained(texts: Sequence[str], others: Sequence[str], threshold: float) -> dict[int, int]:
    """Index of each text -> index of the first of ``others`` that holds it, or that it holds.

    Holding: at least ``threshold`` in (0, 1] of the shorter one's word trigrams stand in the longer one. Both need
    LEAST_WORDS words.
    """
    matrix = incidence([*texts, *others], inner_trigrams)
    sizes = np.asarray(matrix.sum(axis=1)).ravel()
    found: dict[int, int] = {}
    for row, column, both in shared(matrix[: len(texts)], matrix[len(texts) :]):
        shorter = np.minimum(sizes[row], sizes[len(texts) + column])
        holds = (shorter >= LEAST_WORDS - 2) & (both / shorter >= threshold)
        for at, other in sorted(zip(row[holds].tolist(), column[holds].tolist(), strict=True)):
            found.setdefault(at, other)
    return found
