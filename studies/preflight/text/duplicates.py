"""Prompts that occur more than once: exactly, with several pairs, and nearly."""

from collections.abc import Sequence

import numpy as np

from scripts.sources.contamination import text_of
from scripts.sources.near_duplicates import near_duplicates
from studies.preflight.finding import Finding
from studies.preflight.shares import Limits, Share, worst_first
from studies.preflight.text.texts import Labels, Measured, Texts

LIMITS = Limits(note=0.01, warn=0.05, bad=0.2)
REPEATED = Limits(note=0.001, warn=0.02, bad=0.1)
DROP = "its prompt nearly repeats an earlier one"
EVIDENCE = (
    "Lee et al. 2022 (arXiv 2107.06499): near-duplicates are learnt by heart and leak into held-out splits. They count "
    "as prompts, and bring no new ones."
)


def measure(texts: Texts, threshold: float) -> Measured:
    """Columns: near_duplicate, near_duplicate_of (the earlier prompt's text, else null).

    threshold: word-trigram Jaccard similarity from which on two prompts are near-duplicates.
    """
    words = [text_of(prompt) for prompt in texts.prompts]
    again = near_duplicates(words, threshold)
    at = texts.pairs["prompt"].to_numpy()
    is_again = np.isin(at, list(again))
    beside = [words[again[each]] if each in again else None for each in at.tolist()]
    findings = [_exact(texts, at), _near(again, len(words), is_again, threshold)]
    if texts.labels is not None:
        findings.append(_repeated(texts.labels))
    return Measured(findings, {"near_duplicate": is_again, "near_duplicate_of": beside}, {DROP: is_again})


def _exact(texts: Texts, at: np.ndarray) -> Finding:
    pairs_of = np.bincount(at, minlength=len(texts.prompts))
    share = Share(int((pairs_of > 1).sum()), len(pairs_of))
    most = int(pairs_of.max(initial=0))
    return Finding(
        "several_pairs",
        "text",
        "How many prompts have several pairs?",
        f"{len(at):,} pairs are of {len(pairs_of):,} prompts. {share.told('prompts')} have several, at most {most:,}: "
        "what is learnt, and how sure one can be of it, goes by prompts."
        if most > 1
        else f"None has: {len(at):,} pairs are of as many prompts.",
        **share.numbers(),
        level="note" if most > 1 else "good",
        evidence="Intervals here count prompts where pairs share one.",
        pairs=worst_first(np.flatnonzero(at == pairs_of.argmax())) if most > 1 else (),
    )


def _near(again: dict[int, int], prompts: int, is_again: np.ndarray, threshold: float) -> Finding:
    share = Share(len(again), prompts)
    level = LIMITS.level(share.interval[0])
    return Finding(
        "near_duplicates",
        "text",
        "Do prompts nearly repeat one another?",
        f"{share.told('prompts')} nearly repeat an earlier one (word trigrams, Jaccard similarity of {threshold:g} or "
        "more).",
        **share.numbers(),
        level=level,
        evidence=EVIDENCE,
        remedy=f"Set near_duplicates: {threshold:g} in the prompt set, or take the drop list." if again else "",
        pairs=worst_first(np.flatnonzero(is_again)),
        beside="near_duplicate_of",
    )


def _repeated(labels: Labels) -> Finding:
    ids = ["prompt_id", "chosen_id", "rejected_id"]
    again = labels.rows.duplicated(ids).to_numpy()
    share = Share(int(again.sum()), len(again))
    level = REPEATED.level(share.interval[0])
    return Finding(
        "repeated_pairs",
        "text",
        "Does the file repeat whole pairs?",
        f"{share.told('pairs')} repeat an earlier one, prompt, chosen and rejected. Each is kept once here.",
        **share.numbers(),
        level=level,
        evidence=EVIDENCE,
        remedy="Other trainers would learn them several times: remove the repetitions." if again.any() else "",
        places=places(labels.rows["source"][again], labels.rows["row"][again]),
    )


def places(sources: Sequence[str], rows: Sequence[int]) -> list[str]:
    """Rows of sources as words, counted from 0 as their tables count them."""
    return [f"{source}, row {row}" for source, row in zip(sources, rows, strict=True)]
