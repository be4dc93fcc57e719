"""Finds prompts that occur in an evaluation suite: the same text, nearly the same, or one contained in the other.

Suites and training data word the same question differently ("Question: ... Answer:", options, worked examples), so
similarity of whole texts is not enough: of 1,319 GSM8K questions compared with themselves in the harness's wording, a
Jaccard similarity of 0.9 finds 23, containment all.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from scripts.lib.ids import Messages
from scripts.sources.near_duplicates import (
    batches,
    counted,
    every,
    first_alike,
    incidence,
    meetings,
    rarest,
    shared,
    sizes_of,
)

LEAST_WORDS = 8
"""Shorter texts are compared only as wholes: many texts contain "what is the capital of"."""


@dataclass(frozen=True)
class Found:
    """The suite that contains a prompt, and whether with the same id."""

    suite: str
    exactly: bool


def text_of(prompt: Messages) -> str:
    """The text of a prompt for comparison: the contents of its turns, joined."""
    return "\n".join(turn["content"] for turn in prompt)


def contaminated(
    ids: Sequence[str], texts: Iterable[str], suites: Sequence[tuple[str, pd.DataFrame]], threshold: float | None
) -> dict[str, Found]:
    """prompt_id -> the first suite that contains the prompt; suites with exactly the prompt come before others.

    ids, texts: of the prompts, in the same order; one batch of texts is in memory at a time. suites: PROMPTS tables.
    threshold: of ``near_duplicates`` and ``contained``; None compares only ids.
    """
    found: dict[str, Found] = {}
    known = set(ids)
    for suite, table in suites:
        for its_id in known.intersection(table["prompt_id"]):
            found.setdefault(its_id, Found(suite, exactly=True))
    if threshold is not None and suites:
        asked = [(suite, text_of(prompt)) for suite, table in suites for prompt in table["prompt"]]
        for at, question in nearly(texts, [text for _, text in asked], threshold).items():
            found.setdefault(ids[at], Found(asked[question][0], exactly=False))
    return found


def nearly(texts: Iterable[str], others: Sequence[str], threshold: float) -> dict[int, int]:
    """Index of each text -> index of the first of ``others`` that it nearly duplicates, or else that contains it or is
    contained in it."""
    whole, inner = incidence(others), incidence(others, ends=False)
    found: dict[int, int] = {}
    for start, batch in batches(texts):
        near = holding(incidence(batch, ends=False), inner, threshold) | first_alike(incidence(batch), whole, threshold)
        found.update((start + at, other) for at, other in near.items())
    return found


def contained(texts: Iterable[str], others: Iterable[str], threshold: float) -> dict[int, int]:
    """Index of each text -> index of the first of ``others`` that contains it, or that it contains.

    Containment: at least ``threshold`` in (0, 1] of the shorter text's word trigrams occur in the longer one. Both need
    LEAST_WORDS words.
    """
    return holding(incidence(texts, ends=False), incidence(others, ends=False), threshold)


def holding(one: csr_matrix, other: csr_matrix, threshold: float) -> dict[int, int]:
    """Row of one -> the first row of other that contains it or is contained in it; without trigrams over the ends."""
    counts = counted(other)
    rare, their_rare = rarest(one, threshold, counts), rarest(other, threshold, counts)
    sizes, their_sizes = sizes_of(one), sizes_of(other)
    found: set[tuple[int, int]] = set()
    # A rare trigram of the shorter text occurs in the longer one, whichever is shorter.
    for row, column in chain(meetings(rare, every(other)), meetings(every(one), their_rare)):
        possible = np.minimum(sizes[row], their_sizes[column]) >= LEAST_WORDS - 2
        for at, of, both in shared(one, other, row[possible], column[possible]):
            holds = both / np.minimum(sizes[at], their_sizes[of]) >= threshold
            found.update(zip(at[holds].tolist(), of[holds].tolist(), strict=True))
    return dict(sorted(found, reverse=True))
