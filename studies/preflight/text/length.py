"""Length of the chosen against the rejected response, and how much of the preference length alone explains."""

import numpy as np

from studies.preflight.finding import Finding
from studies.preflight.shares import Limits, Share, auc_of, worst_first
from studies.preflight.text.lengths import Lengths
from studies.preflight.text.texts import Measured, Texts

LIMITS = Limits(note=0.05, warn=0.12, bad=0.25)
"""Of the distance of the AUC from 0.5, by the end of its interval that is nearer to 0.5."""
EVIDENCE = (
    "Park et al. 2024 (arXiv 2403.19159) and Singhal et al. 2023 (arXiv 2310.03716): DPO and reward models take length "
    "for quality where labels do. Length-controlled win rates here: docs/win_rates.md."
)


def measure(texts: Texts, lengths: Lengths) -> Measured:
    """Columns: prompt_tokens, chosen_tokens, rejected_tokens, chosen_minus_rejected, longest_tokens (with prompt)."""
    difference = lengths.chosen - lengths.rejected
    columns = {
        "prompt_tokens": lengths.prompt,
        "chosen_tokens": lengths.chosen,
        "rejected_tokens": lengths.rejected,
        "chosen_minus_rejected": difference,
        "longest_tokens": lengths.prompt + np.maximum(lengths.chosen, lengths.rejected),
    }
    return Measured([_explained(texts, difference, lengths), _longer(difference, lengths)], columns)


def _explained(texts: Texts, difference: np.ndarray, lengths: Lengths) -> Finding:
    auc, low, high = auc_of(difference, texts.pairs["prompt_id"].to_numpy())
    distance = max(0.0, low - 0.5, 0.5 - high)
    level = LIMITS.level(distance)
    liked = "longer" if auc >= 0.5 else "shorter"
    with_label = np.sign(auc - 0.5) * difference
    accuracy = Share(int((with_label > 0).sum()), int((difference != 0).sum()))
    return Finding(
        "length_bias",
        "text",
        "How much of the preference does length alone explain?",
        f"Length alone tells chosen from rejected with an AUC of {auc:.2f} (0.50: nothing, 1: everything); "
        f"choosing the {liked} response agrees with {accuracy.told('labels')} on responses of unequal length.",
        auc,
        low,
        high,
        "AUC",
        len(texts),
        level,
        EVIDENCE,
        f"A policy trained on this will learn to write {liked} answers. Balance lengths within pairs, drop the pairs "
        "with the largest difference, use a length-normalised objective (simpo), and measure with length control."
        if level in ("warn", "bad")
        else "",
        worst_first(np.arange(len(texts)), with_label),
        column="chosen_minus_rejected",
    )


def _longer(difference: np.ndarray, lengths: Lengths) -> Finding:
    unequal = difference != 0
    share = Share(int((difference > 0).sum()), int(unequal.sum()))
    medians = [int(np.median(each)) if len(each) else 0 for each in (lengths.chosen, lengths.rejected)]
    return Finding(
        "chosen_longer",
        "text",
        "How long are chosen and rejected responses?",
        f"The chosen response is the longer one in {share.told('pairs')} of unequal length; medians are {medians[0]:,} "
        f"and {medians[1]:,} {lengths.unit}.",
        **share.numbers(),
        level="note" if abs(share.value - 0.5) > 0.1 else "good",
        evidence=EVIDENCE,
        pairs=worst_first(np.arange(len(difference)), difference),
        column="chosen_tokens",
    )


def too_long(lengths: Lengths, max_length: int) -> Finding:
    """Responses that a cut at ``max_length`` shortens."""
    over = np.maximum(lengths.chosen, lengths.rejected) + lengths.prompt - max_length
    share = Share(int((over > 0).sum()), len(over))
    level = Limits(note=0.01, warn=0.1, bad=0.5).level(share.interval[0])
    return Finding(
        "too_long",
        "text",
        f"How many pairs does a cut at {max_length:,} tokens shorten?",
        f"{share.told('pairs')} have a response that ends beyond {max_length:,} {lengths.unit}, its prompt included.",
        **share.numbers(),
        level=level,
        evidence="What is cut is compared as if it ended there; what truncation does to runs is on every report page.",
        remedy="Raise max_length, or set truncation: drop." if level in ("warn", "bad") else "",
        pairs=worst_first(np.flatnonzero(over > 0), over[over > 0]),
        column="longest_tokens",
    )
