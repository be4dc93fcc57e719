"""Prompts that stand in evaluation suites, each with the question that it matches."""

from collections.abc import Mapping, Sequence

import numpy as np

from scripts.lib.ids import Messages
from scripts.sources.contamination import nearly, text_of
from studies.preflight.finding import Finding
from studies.preflight.shares import Limits, Share, worst_first
from studies.preflight.text.texts import Measured, Texts

LIMITS = Limits(note=0.0, warn=0.001, bad=0.01)
DROP = "its prompt stands in an evaluation"
SHOWN = 600
"""Characters of a matched question that are kept."""
EVIDENCE = (
    "A count alone misleads: of 114 published sources with such flags, 88 were false (marin-community/marin 6852); so "
    "the matching text stands beside each prompt. What a suite asks must not be learnt before it is asked."
)
QUESTION = "Do the prompts stand in the evaluations?"


def measure(texts: Texts, suites: Mapping[str, Sequence[Messages]], threshold: float) -> Measured:
    """Columns: in_evaluation, evaluation_match (suite and question, else null).

    suites: suite -> its prompts. threshold: of the word-trigram Jaccard similarity of two texts, or of the share
    of the shorter one's trigrams that stands in the other.
    """
    if not suites:
        text = (
            "Not looked at: no evaluation is named. Name some under suites to compare the prompts with their questions."
        )
        return Measured([Finding("contamination", "text", QUESTION, text, level="note", evidence=EVIDENCE)])
    names = [name for name, prompts in suites.items() for _ in prompts]
    asked = [text_of(prompt) for prompts in suites.values() for prompt in prompts]
    found = nearly([text_of(prompt) for prompt in texts.prompts], asked, threshold)
    at = texts.pairs["prompt"].tolist()
    inside = np.array([each in found for each in at], bool)
    beside = [f"{names[found[each]]}: {asked[found[each]][:SHOWN]}" if each in found else None for each in at]
    return Measured(
        [_finding(found, names, len(texts.prompts), inside, list(suites))],
        {"in_evaluation": inside, "evaluation_match": beside},
        {DROP: inside},
    )


def _finding(
    found: Mapping[int, int], names: Sequence[str], prompts: int, inside: np.ndarray, suites: Sequence[str]
) -> Finding:
    share = Share(len(found), prompts)
    counts = {suite: sum(names[question] == suite for question in found.values()) for suite in suites}
    by_suite = "; ".join(f"{suite} {count:,}" for suite, count in counts.items())
    return Finding(
        "contamination",
        "text",
        QUESTION,
        f"{share.told('prompts')} stand in an evaluation, nearly or wholly ({by_suite}).",
        **share.numbers(),
        level=LIMITS.level(share.interval[0]) if share.hits else "good",
        evidence=EVIDENCE,
        remedy="Set unseen_by in the prompt set, or take the drop list; read the matches first." if share.hits else "",
        pairs=worst_first(np.flatnonzero(inside)),
        beside="evaluation_match",
    )
