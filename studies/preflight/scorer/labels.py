"""Which labels a scorer reverses, how many of those are likely wrong labels, and whether the scorer goes by length.

A scorer reverses a pair if the rejected response scores higher. Where labels are wrong at random, with probability e
whatever the gap, and the scorer is right where its gap is widest, the share reversed among the quarter of the pairs
with the widest gaps is e. In quarter q with a share r(q) reversed the scorer then errs with probability
s(q) = (r(q) - e) / (1 - 2 e), and a reversed pair has a wrong label with probability e (1 - s(q)) / r(q).
A scorer that made the labels reverses none of them: it says nothing of their noise.

Two things tell that the scorer is not right where it is surest. Its share of reversed labels may still be falling from
the quarter before: then the labels are wrong at most so often. And no more than a third of the labels of a usable
dataset are taken to be wrong: where more are reversed, scorer and labels judge different things. On 1,000 pairs of
UltraFeedback without known noise a bag of words reverses 38 % where it is surest, and knows nothing. In both cases no
pair is condemned.
"""

import numpy as np
import pandas as pd

from studies.preflight.finding import Finding
from studies.preflight.intervals import Interval, share
from studies.preflight.shares import Limits, percent

QUARTERS = 4
NOISE = Limits(warn=0.05, bad=0.10)
"""Of the share of wrong labels."""
BY_LENGTH = Limits(warn=0.5, bad=0.7)
"""Of the share of the variance of gaps that the difference in length explains."""
AT_MOST = 1 / 3
"""The largest share of wrong labels that is believed."""
MORE_LIKELY_THAN_NOT = 0.5
REASON = "the scorer reverses the label, which is likelier wrong than the scorer"


def quarters(gaps: pd.Series) -> pd.Series:
    """0 to 3 by |gap|, the widest last, ties in the order of the rows; NaN without a gap or with a gap of zero."""
    size = gaps.abs().where(gaps != 0)
    return np.floor((size.rank(method="first") - 1) * QUARTERS / size.notna().sum())


def is_reversed(gaps: pd.Series) -> pd.Series:
    """1 where the rejected response scores higher, 0 where the chosen one does, NaN where neither or unknown."""
    return (gaps < 0).astype(float).where(gaps.notna() & (gaps != 0))


def wrong(gaps: pd.Series) -> pd.Series:
    """The probability that each label is wrong, by the module's reckoning; 0 for labels that the scorer confirms.

    All 0 where more labels are reversed than are believed to be wrong.
    """
    at, hits = quarters(gaps), is_reversed(gaps).fillna(0.0)
    rates = is_reversed(gaps).groupby(at).mean()
    noise = float(rates.get(QUARTERS - 1, 0.0))
    if noise > AT_MOST:
        return hits * 0.0
    errs = ((rates - noise) / (1 - 2 * noise)).clip(0.0, 1.0)
    of_reversed = (noise * (1 - errs) / rates.where(rates > 0)).clip(0.0, 1.0)
    return (hits * at.map(of_reversed)).fillna(0.0)


def reversed_labels(rows: pd.DataFrame) -> Finding:
    """rows: with scorer_gap."""
    found = share(is_reversed(rows["scorer_gap"]), rows["prompt_id"])
    return Finding(
        "reversed_labels",
        "scorer",
        "How often does the scorer disagree with the labels?",
        f"The scorer prefers the rejected response in {percent(found.value)} of the pairs that it does not tie.",
        **found.numbers("share"),
        level="note",
        evidence="A scorer errs too: wrong_labels says what follows for the labels.",
        pairs=rows[rows["scorer_gap"] < 0].nsmallest(10, "scorer_gap")["pair"],
        column="scorer_gap",
    )


def noise_of(rows: pd.DataFrame) -> tuple[Interval, bool]:
    """The share reversed where the scorer is surest, and whether it has stopped falling. rows: with scorer_gap."""
    at, hits = quarters(rows["scorer_gap"]), is_reversed(rows["scorer_gap"])
    before, surest = (share(hits.where(at == quarter), rows["prompt_id"]) for quarter in (QUARTERS - 2, QUARTERS - 1))
    return surest, not before.low > surest.high


def wrong_labels(rows: pd.DataFrame) -> Finding:
    """rows: with scorer_gap."""
    found, is_settled = noise_of(rows)
    level, remedy = NOISE.level(found.low), "Leave out the pairs of the drop list, or have them labelled again."
    sentence = f"Where the scorer is surest it reverses {percent(found.value)} of the labels. "
    if found.value > AT_MOST:
        sentence += "More than a third cannot be wrong labels alone: scorer and labels judge different things."
        level, remedy = "warn", "Read the examples, and name a scorer that judges what the labels do."
    elif is_settled:
        sentence += "If it is right there, and labels are wrong at random, so many of all labels are wrong."
    else:
        sentence += "That share still falls as it gets surer: at most so many labels are wrong."
        level = "warn" if level == "bad" else level
        remedy = "Have the examples labelled again, or name a better scorer."
    return Finding(
        "wrong_labels",
        "scorer",
        "How many labels are wrong?",
        sentence,
        **found.numbers("share"),
        level=level,
        evidence="Our validation of preflight plants 20 % of flipped labels.",
        remedy="" if level == "good" else remedy,
        pairs=rows[rows["scorer_gap"] < 0].nsmallest(10, "scorer_gap")["pair"],
        column="label_wrong",
    )


def by_length(rows: pd.DataFrame) -> Finding:
    """Whether the scorer goes by length. rows: with scorer_gap, chosen_text, rejected_text.

    The share of the sum of squared gaps that the best multiple of the difference in characters explains. Its interval
    is the jackknife's over prompts, on the scale of Fisher's z of its root.
    """
    known = rows[rows["scorer_gap"].notna()]
    longer_by = (known["chosen_text"].str.len() - known["rejected_text"].str.len()).astype(float)
    low, value, high = _explained(known["scorer_gap"], longer_by, known["prompt_id"])
    level = BY_LENGTH.level(low)
    return Finding(
        "scorer_length",
        "scorer",
        "Does the scorer go by length?",
        f"The difference in length explains {percent(value)} of what the scorer's gaps vary.",
        value=value,
        ci_low=low,
        ci_high=high,
        unit="share",
        n=len(known),
        level=level,
        evidence="What Matters in Data for DPO? controls its win rates for length (docs/win_rates.md).",
        remedy="" if level == "good" else "Use a scorer that does not, or control for length when you measure.",
    )


def _explained(gaps: pd.Series, longer_by: pd.Series, prompts: pd.Series) -> tuple[float, float, float]:
    """(low, value, high) of the share explained."""
    sums = pd.DataFrame({"gg": gaps**2, "gl": gaps * longer_by, "ll": longer_by**2}).groupby(prompts.to_numpy()).sum()
    whole = sums.sum()

    def root(gg, gl, ll):
        """Of the share explained: the uncentred correlation."""
        return np.abs(gl) / np.sqrt(np.maximum(gg * ll, np.finfo(float).tiny))

    value = float(root(whole["gg"], whole["gl"], whole["ll"]))
    if len(sums) < 2 or value >= 1:
        return value**2, value**2, value**2
    left_out = np.arctanh(np.minimum(root(*((whole[name] - sums[name]) for name in ("gg", "gl", "ll"))), 1 - 1e-12))
    count = len(sums)
    reach = 1.96 * float(np.sqrt((count - 1) / count * ((left_out - left_out.mean()) ** 2).sum()))
    ends = np.tanh(np.maximum(np.arctanh(value) + np.array([-reach, reach]), 0.0)) ** 2
    return float(ends[0]), value**2, float(ends[1])
