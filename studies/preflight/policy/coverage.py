"""Whether the pairs hold anything better than the policy can already do, as a scorer sees it.

A policy that is better by itself than the chosen responses learns from contrasts alone; one whose best of k samples is
better than the chosen response of most prompts is better taught by its own samples.
"""

import pandas as pd

from studies.preflight.finding import Finding
from studies.preflight.intervals import mean, share
from studies.preflight.shares import Limits, percent

UNCOVERED = Limits(note=0.5, warn=0.9)
"""Of the share of prompts in which the policy's best of k is at least as good as the chosen response."""
BEHIND = Limits(warn=0.0, bad=0.25)
"""Of how far, in spreads, the chosen responses are below what the policy writes on average."""
EVIDENCE = (
    "Is On-Policy Data Always the Best Choice?, section 4: what a policy gains from depends on its stage; our study "
    "alignment_stages"
)


def own_scores(samples: pd.DataFrame, scores: pd.Series) -> pd.DataFrame:
    """(prompt_id, own_mean, own_best, own_count) over the scored samples of each prompt.

    samples: SAMPLES. An empty sample has no score and is left out.
    """
    scored = samples[["prompt_id"]].assign(score=samples["response_id"].map(scores)).dropna()
    groups = scored.groupby("prompt_id")["score"]
    return groups.agg(own_mean="mean", own_best="max", own_count="size").reset_index()


def coverage(rows: pd.DataFrame) -> Finding:
    """rows: with chosen_score, own_best, own_count; NaN where unknown."""
    beaten = (rows["own_best"] >= rows["chosen_score"]).astype(float)
    found = share(beaten.where(rows[["own_best", "chosen_score"]].notna().all(axis=1)), rows["prompt_id"])
    level = UNCOVERED.level(found.low)
    k = rows["own_count"].median()
    return Finding(
        "coverage",
        "policy",
        "Do the pairs hold anything better than the policy can do?",
        f"In {percent(1 - found.value)} of the pairs the chosen response is better than the policy's best of {k:.0f}.",
        **(
            found.numbers("share")
            | {"value": 1 - found.value, "ci_low": 1 - found.high, "ci_high": 1 - found.low, "n": found.n}
        ),
        level=level,
        evidence=EVIDENCE,
        remedy="" if level == "good" else "Pair the policy's own best and worst samples, or find a better generator.",
        pairs=(rows["own_best"] - rows["chosen_score"]).nlargest(10).index.map(rows["pair"]),
        column="own_best",
    )


def headroom(rows: pd.DataFrame, spread: float) -> Finding:
    """rows: with chosen_score, own_mean. spread: the standard deviation of scores within prompts, own
    samples and pairs together, which is the unit."""
    found = mean((rows["chosen_score"] - rows["own_mean"]) / spread, rows["prompt_id"])
    level = BEHIND.level(-found.high)
    word = "above" if found.value >= 0 else "below"
    return Finding(
        "headroom",
        "policy",
        "Are the chosen responses better than what the policy writes anyway?",
        f"They score {abs(found.value):.2f} spreads {word} its average sample ({found.low:.2f} to {found.high:.2f}).",
        **found.numbers("spreads"),
        level=level,
        evidence=EVIDENCE,
        remedy=""
        if level == "good"
        else "Do not train on these chosen responses: sample the policy, or find a better generator.",
        pairs=(rows["chosen_score"] - rows["own_mean"]).nsmallest(10).index.map(rows["pair"]),
        column="own_mean",
    )
