"""Which labels a scorer reverses, and how many of those are likely wrong labels rather than mistakes of the scorer.

A scorer reverses a pair if the rejected response scores higher. Where labels are wrong at random, with probability e
whatever the gap, and the scorer is right where its gap is widest, the share reversed among the quarter of the pairs
with the widest gaps is e. In quarter q with a share r(q) reversed the scorer then errs with probability
s(q) = (r(q) - e) / (1 - 2 e), and a reversed pair has a wrong label with probability e (1 - s(q)) / r(q).
A scorer that made the labels reverses none of them: it says nothing of their noise.
"""

import numpy as np
import pandas as pd

from studies.preflight.finding import Finding
from studies.preflight.intervals import share

QUARTERS = 4
NOISE = {"warn": 0.05, "bad": 0.10}
"""Shares of wrong labels."""
LONGER = {"warn": 0.70, "bad": 0.85}
"""Shares of pairs of unequal length in which the scorer prefers the longer response."""
MORE_LIKELY_THAN_NOT = 0.5
REASON = "a scorer reverses the label, and the label is the likelier mistake"


def quarters(gaps: pd.Series) -> pd.Series:
    """0 to 3 by |gap|, the widest last, ties in the order of the rows; NaN without a gap or with a gap of zero."""
    size = gaps.abs().where(gaps != 0)
    return np.floor((size.rank(method="first") - 1) * QUARTERS / size.notna().sum())


def is_reversed(gaps: pd.Series) -> pd.Series:
    """1 where the rejected response scores higher, 0 where the chosen one does, NaN where neither or unknown."""
    return (gaps < 0).astype(float).where(gaps.notna() & (gaps != 0))


def wrong(gaps: pd.Series) -> pd.Series:
    """The probability that each label is wrong, by the module's reckoning; 0 for those that the scorer confirms."""
    at, hits = quarters(gaps), is_reversed(gaps)
    rates = hits.groupby(at).mean()
    noise = float(rates.get(QUARTERS - 1, 0.0))
    if noise >= 0.5:  # the scorer and the labels are opposed: neither is known to be the right one
        return hits * 0.0
    errs = ((rates - noise) / (1 - 2 * noise)).clip(0.0, 1.0)
    of_reversed = (noise * (1 - errs) / rates.where(rates > 0)).clip(0.0, 1.0)
    return (hits * at.map(of_reversed)).where(hits != 0, hits * 0.0)


def reversed_labels(rows: pd.DataFrame) -> Finding:
    """rows: with scorer_gap."""
    found = share(is_reversed(rows["scorer_gap"]), rows["prompt_id"])
    return Finding(
        "reversed_labels",
        "scorer",
        "How often does the scorer disagree with the labels?",
        f"The scorer prefers the rejected response in {found:.1%} of the pairs that it does not tie.",
        found.value,
        found.low,
        found.high,
        unit="share",
        n=found.n,
        level="note",
        evidence="a scorer errs too: see label_noise for what it says of the labels",
        pairs=rows[rows["scorer_gap"] < 0].nsmallest(10, "scorer_gap")["pair"],
        column="scorer_gap",
    )


def label_noise(rows: pd.DataFrame) -> Finding:
    """rows: with scorer_gap."""
    sure = quarters(rows["scorer_gap"]) == QUARTERS - 1
    found = share(is_reversed(rows["scorer_gap"]).where(sure), rows["prompt_id"])
    level = "good"
    for name, limit in NOISE.items():
        level = name if found.low > limit else level
    return Finding(
        "label_noise",
        "scorer",
        "How many labels are wrong?",
        f"Where the scorer is surest it reverses {found:.1%} of the labels; if it is right there, and labels are wrong "
        "at random, so many of all labels are wrong.",
        found.value,
        found.low,
        found.high,
        unit="share",
        n=found.n,
        level=level,
        evidence="our validation of preflight: 20 % of flipped labels",
        remedy="" if level == "good" else "leave out the pairs of the drop list, or label them again",
        pairs=rows[sure & (rows["scorer_gap"] < 0)].nsmallest(10, "scorer_gap")["pair"],
        column="label_wrong",
    )


def longer(rows: pd.DataFrame) -> Finding:
    """Whether the scorer goes by length. rows: with scorer_gap, chosen_text, rejected_text."""
    longer_by = rows["chosen_text"].str.len() - rows["rejected_text"].str.len()
    direction = np.sign(rows["scorer_gap"] * longer_by)
    found = share(((direction + 1) / 2).where(direction != 0), rows["prompt_id"])
    level = "good"
    for name, limit in LONGER.items():
        level = name if found.low > limit else level
    return Finding(
        "scorer_length",
        "scorer",
        "Does the scorer go by length?",
        f"Where lengths differ, the longer response scores higher in {found:.1%} of the pairs.",
        found.value,
        found.low,
        found.high,
        unit="share",
        n=found.n,
        level=level,
        evidence="What Matters in Data for DPO? reports length-controlled win rates for this reason; our docs/win_rates.md",
        remedy="" if level == "good" else "use a scorer that does not, or measure the outcome with length controlled",
    )
