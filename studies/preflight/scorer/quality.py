"""How good the chosen responses are by a scorer, how far above the rejected, and whether the scorer still tells.

Scorers have units of their own, so that quality and gap are also given in spreads: the standard deviation of scores
among the responses to one prompt, pooled over prompts.
"""

import numpy as np
import pandas as pd

from scripts.lib.vocabulary import TIERS
from studies.preflight.finding import Finding
from studies.preflight.intervals import mean, share
from studies.preflight.shares import Limits, percent

EVIDENCE = "What Matters in Data for DPO?, Table 1; our study what_matters: better chosen responses help"
TOP_TIER = 4.0
"""Tiers are counted from 0, the worst response of a prompt, to 4, the best one."""
NEARLY_BEST = 3.5
SATURATED = Limits(warn=0.25, bad=0.5)
"""Of the share of pairs whose two responses have one score."""
FEW = 20
"""Groups of fewer pairs are not compared."""


def spread_of(scored: pd.DataFrame) -> float:
    """The standard deviation within prompts of scored (prompt_id, score); NaN if no prompt has two responses."""
    groups = scored.groupby("prompt_id")["score"]
    freedom = len(scored) - groups.ngroups
    squares = float(((scored["score"] - groups.transform("mean")) ** 2).sum())
    return float(np.sqrt(squares / freedom)) if freedom else float("nan")


def ranks_of(ids: pd.Series, scored: pd.DataFrame) -> pd.Series:
    """Where each response stands among the scored ones of its prompt, from 0 to 4; NaN with fewer than three of them.

    4 times the share of the prompt's other responses that score lower, those that tie counted as halves.
    """
    groups = scored.groupby("prompt_id")["score"]
    below = groups.rank(method="average") - 1
    others = groups.transform("size") - 1
    tier = (TOP_TIER * below / others.where(others > 1)).set_axis(scored["response_id"])
    return ids.map(tier)


def tier_names(ranks: pd.Series) -> pd.Series:
    """The nearest tier of each rank from 0 to 4, by name; None without one."""
    nearest = np.floor(ranks + 0.5)
    return nearest.map(dict(enumerate(TIERS[::-1]))).astype(object).where(ranks.notna(), None)


def quality(rows: pd.DataFrame, scored: pd.DataFrame) -> Finding:
    """rows: with chosen_score, source, chosen_family. scored: (prompt_id, response_id, score) of all responses."""
    found = mean(rows["chosen_score"], rows["prompt_id"])
    spread = spread_of(scored)
    above = (found.value - float(scored["score"].mean())) / spread
    sentence = (
        f"The chosen responses score {found:.3g} on average, {above:+.2f} spreads from the mean of all responses."
    )
    for column, name in (("source", "source"), ("chosen_family", "generator")):
        sentence += _groups(rows, column, name)
    worst = rows.nsmallest(10, "chosen_score")["pair"]
    return Finding(
        "chosen_quality",
        "scorer",
        "How good are the chosen responses?",
        sentence,
        **found.numbers("score"),
        level="note",
        evidence=EVIDENCE,
        pairs=worst,
        column="chosen_score",
    )


def _groups(rows: pd.DataFrame, column: str, name: str) -> str:
    """What the best and the worst group score, if there are several."""
    means = rows.groupby(column)["chosen_score"].agg(["mean", "count"])
    means = means[means["count"] >= FEW]["mean"].sort_values()
    if len(means) < 2:
        return ""
    return f" By {name}: from {means.iloc[0]:.3g} ({means.index[0]}) to {means.iloc[-1]:.3g} ({means.index[-1]})."


def gap(rows: pd.DataFrame, scored: pd.DataFrame) -> Finding:
    """rows: with scorer_gap, chosen minus rejected score."""
    spread = spread_of(scored)
    found = mean(rows["scorer_gap"] / spread, rows["prompt_id"])
    level, remedy = ("note", "") if found.low > 0 else ("warn", "")
    if found.high < 0:
        level = "bad"
    if level != "note":
        remedy = "check which side is which, or whether this scorer judges what the labels do"
    return Finding(
        "gap",
        "scorer",
        "How far apart are chosen and rejected?",
        f"The chosen score {found:.2f} spreads more than the rejected.",
        **found.numbers("spreads"),
        level=level,
        evidence="What Matters in Data for DPO?, Table 3; our study what_matters: a wider gap under the same chosen "
        "gained, more than the paper says",
        remedy=remedy,
        pairs=rows.nsmallest(10, "scorer_gap")["pair"],
        column="scorer_gap",
    )


def tier(rows: pd.DataFrame) -> Finding | None:
    """rows: with chosen_rank; None where no prompt has three scored responses."""
    if not rows["chosen_rank"].notna().any():
        return None
    found = mean(rows["chosen_rank"], rows["prompt_id"])
    is_best = found.low >= NEARLY_BEST
    return Finding(
        "chosen_tier",
        "scorer",
        "Are the chosen the best responses that there are?",
        f"Among the responses to its prompt the chosen one stands at tier {found:.2f} on average; "
        "0 is the worst, 4 the best.",
        **found.numbers("tiers"),
        level="good" if is_best else "note",
        evidence=EVIDENCE,
        remedy="" if is_best else "pair the best response of each prompt over a low one",
        pairs=rows.nsmallest(10, "chosen_rank")["pair"],
        column="chosen_rank",
    )


def saturation(rows: pd.DataFrame, scored: pd.DataFrame) -> Finding:
    """The share of pairs whose two responses have one score, most often an end of the scale."""
    hits = (rows["chosen_score"] == rows["rejected_score"]).where(rows["scorer_gap"].notna())
    found = share(hits.astype(float), rows["prompt_id"])
    top = float((scored["score"] == scored["score"].max()).mean())
    bottom = float((scored["score"] == scored["score"].min()).mean())
    level = SATURATED.level(found.low)
    return Finding(
        "saturation",
        "scorer",
        "Can the scorer still tell the responses apart?",
        f"{percent(found.value)} of the pairs have one score on both sides; {percent(top)} of all responses have the "
        f"highest score that occurs, {percent(bottom)} the lowest.",
        **found.numbers("share"),
        level=level,
        evidence="our study what_matters: pairs of equal score are dropped, they have no direction",
        remedy="" if level == "good" else "use a scorer with a finer scale",
        pairs=rows[hits == 1]["pair"],
    )
