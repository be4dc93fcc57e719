"""Which pairs displace likelihood: their chosen and rejected responses are so alike that a step lifts neither.

What is computed of each pair: studies/preflight/policy/overlap.py.
"""

import pandas as pd

from studies.preflight.finding import Finding
from studies.preflight.intervals import mean, share
from studies.preflight.shares import Limits, percent

WEAK = 0.25
"""A pair whose step lifts the chosen response by less than this share of what a step on that response alone would."""
DISPLACING = Limits(warn=0.1, bad=0.3)
"""Of the share of such pairs."""
REASON = "the two responses are so alike that a step hardly lifts the chosen one"
EVIDENCE = (
    "Unintentional Unalignment (arXiv 2410.08847): pairs of high CHES score displace likelihood, and dropping them "
    "helped; our study three_d: the chosen falls only through what responses share."
)
OF_HIDDEN = ["ches", "ches_by_length", "push"]
OF_TOKENS = ["shared_prefix", "token_overlap", "same_tokens"]
"""The columns of the table of studies/preflight/policy/overlap.py, besides ``pair``."""


def is_weak(rows: pd.DataFrame) -> pd.Series:
    """1 where a pair displaces likelihood, 0 where not, NaN where it has no gradient or was not read."""
    return (rows["push"] < WEAK).astype(float).where(rows["push"].notna() & (rows["same_tokens"] == 0))


def displacement(rows: pd.DataFrame) -> Finding:
    """rows: with push, ches, ches_by_length, same_tokens."""
    found = share(is_weak(rows), rows["prompt_id"])
    push = mean(rows["push"].where(rows["same_tokens"] == 0), rows["prompt_id"])
    level = DISPLACING.level(found.low)
    return Finding(
        "displacement",
        "policy",
        "Which pairs displace likelihood?",
        f"In {percent(found.value)} of the pairs a step lifts the chosen response by less than {percent(WEAK)} of "
        f"what training on it alone would; on average it is {push.value:.2f} times as much. The median "
        f"length-normalised CHES score is {rows['ches_by_length'].median():.3g}.",
        **found.numbers("share"),
        level=level,
        evidence=EVIDENCE,
        remedy="" if level == "good" else "Leave out the pairs of the drop list.",
        pairs=rows[is_weak(rows) == 1].nsmallest(10, "push")["pair"],
        column="push",
    )


def token_overlap(rows: pd.DataFrame) -> Finding:
    """rows: with token_overlap and same_tokens."""
    same = share(rows["same_tokens"], rows["prompt_id"])
    alike = mean(rows["token_overlap"], rows["prompt_id"])
    return Finding(
        "token_overlap",
        "policy",
        "How many tokens do the two sides share?",
        f"{percent(alike.value)} of their tokens on average; {percent(same.value)} of the pairs are the same tokens on "
        "both sides, as the policy reads them, and teach nothing.",
        **alike.numbers("share"),
        level="note",
        evidence="A pair of equal responses has no gradient: same_after_cut lists them.",
        pairs=rows.nlargest(10, "token_overlap")["pair"],
        column="token_overlap",
    )
