"""The policy's alignment stage: Algorithm 1 of "Is On-Policy Data Always the Best Choice?", by a scorer.

The comparisons, their counts and the decision are those of scripts/evaluation/boundary.py and boundaries.py.
"""

import pandas as pd

from scripts.evaluation.boundaries import FINE_TUNING, RECOMMENDED, interval, stage_of
from scripts.evaluation.boundary import EACH, by_scores, comparisons, first_by_hash, verdicts
from studies.preflight.finding import Finding

UNDECIDED = 0.5


def boundary(sides: pd.DataFrame, samples: pd.DataFrame, scores: pd.Series) -> tuple[Finding, pd.DataFrame] | None:
    """The boundary score as a finding, and (prompt_id, won, tied) of each prompt's four comparisons.

    sides: (prompt_id, chosen_id, rejected_id). samples: SAMPLES. scores: by response_id, of both. None if fewer than
    two prompts can be compared.
    """
    keyed = sides[["prompt_id", "chosen_id", "rejected_id"]].assign(pair=sides["chosen_id"] + sides["rejected_id"])
    compared, _ = comparisons(samples, first_by_hash(keyed, "pair"))
    if compared.empty:
        return None
    counts, _ = verdicts(compared, by_scores(compared, scores.rename("score").rename_axis("response_id").reset_index()))
    if len(counts) < 2:
        return None
    total, v_on = EACH**2 * len(counts), int(counts["won"].sum())
    low, high = interval(counts["won"] / EACH**2)
    stage = stage_of(v_on, total - v_on)
    is_open = low <= UNDECIDED <= high
    sentence = (
        f"Of four comparisons a prompt, the scorer prefers the policy's own response in {v_on / total:.3f}: the policy "
        f"is in the {stage} stage, in which {RECOMMENDED[stage]} pairs help more"
    )
    sentence += "; 0.5 is inside the interval, so that more prompts would tell." if is_open else "."
    finding = Finding(
        "boundary",
        "policy",
        "Off-policy or on-policy data next?",
        sentence,
        value=v_on / total,
        ci_low=low,
        ci_high=high,
        unit="share",
        n=len(counts),
        level="note",
        evidence="Is On-Policy Data Always the Best Choice?, Algorithm 1; our study alignment_stages",
        remedy="Add pairs of the policy's own samples." if stage == FINE_TUNING else "",
    )
    return finding, counts.rename_axis("prompt_id").reset_index()
