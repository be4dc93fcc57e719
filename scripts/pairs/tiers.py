"""Stratifies each prompt's responses into five quality tiers by score.

"We paired each prompt with five responses of varying quality, labeled as best, high, medium, low, and
worst" ("What Matters in Data for DPO?", section 5.1). The paper does not say how; here:

- Within a prompt, responses are ranked by score, highest first.
- Equal scores are ranked by response_id, an order that depends on neither files nor families. A pair whose two
  responses have equal scores is dropped later, where pairs are made.
- n ranked responses fill the tiers at evenly spaced ranks, rounded half up. Five fill one tier each; of more, those in
  between are left out; with four there is no medium, with three no high and no low, with two only best and worst. A
  single response has no tier.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.lib import cli
from scripts.lib.errors import InputError
from scripts.lib.schemas import TIERS
from scripts.lib.scored import read_scored
from scripts.lib.tables import ordered, runs_of, write_json, write_table
from scripts.lib.vocabulary import TIERS as TIER_NAMES


def tier_ranks(n: int) -> dict[str, int]:
    """Tier -> rank (0 is the highest score) among n responses, for the tiers that n responses fill.

    From five responses on, tier t of 0..4 takes rank (n - 1) t / 4, rounded half up; below five, the responses take the
    tiers nearest to their even spacing.
    """
    last = len(TIER_NAMES) - 1
    if n < 2:
        return {}
    if n > last:
        return {tier: ((n - 1) * t * 2 + last) // (2 * last) for t, tier in enumerate(TIER_NAMES)}
    filled = {2: ("best", "worst"), 3: ("best", "medium", "worst"), 4: ("best", "high", "low", "worst")}[n]
    return {tier: rank for rank, tier in enumerate(filled)}


def stratify(scored: pd.DataFrame) -> pd.DataFrame:
    """Tiers (prompt_id, tier, response_id, score) of scored responses (prompt_id, response_id, score)."""
    ranked = ordered(scored, ["prompt_id", "score", "response_id"], descending=["score"])
    start, size = runs_of(ranked["prompt_id"])
    rank = np.arange(len(ranked)) - np.repeat(start, size)
    size = np.repeat(size, size)
    tier = np.full(len(ranked), -1)
    for n in np.unique(size):
        for name, at in tier_ranks(int(n)).items():
            tier[(size == n) & (rank == at)] = TIER_NAMES.index(name)
    kept = np.flatnonzero(tier >= 0)
    tiers = ranked.take(kept).assign(tier=np.array(TIER_NAMES)[tier[kept]])
    return tiers[["prompt_id", "tier", "response_id", "score"]].reset_index(drop=True)


def tier_card(scored: pd.DataFrame, tiers: pd.DataFrame, unscored: int) -> dict:
    """Counts by tier, and by reason for responses without a tier."""
    sizes = scored.groupby("prompt_id").size()
    counts = Counter(tiers["tier"])
    tied = scored[scored.duplicated(["prompt_id", "score"], keep=False)]
    return {
        "prompts": int(tiers["prompt_id"].nunique()),
        "responses_per_prompt": {str(n): int(count) for n, count in sizes.value_counts().sort_index().items()},
        "tiers": {tier: counts[tier] for tier in TIER_NAMES},
        "mean_score": {
            tier: float(tiers.loc[tiers["tier"] == tier, "score"].mean()) for tier in TIER_NAMES if counts[tier]
        },
        "responses_with_equal_scores": len(tied),
        "dropped": {
            "response_without_score": unscored,
            "response_between_tiers": len(scored) - len(tiers) - int((sizes == 1).sum()),
            "prompt_with_one_response": int((sizes == 1).sum()),
        },
    }


def main() -> None:
    parser = cli.parser_of("scripts.pairs.tiers", __doc__)
    parser.add_argument("--responses", type=Path, required=True, help="the prompt set's responses")
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="one file per family")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--card", type=Path, required=True)
    arguments = parser.parse_args()

    scored, unscored = read_scored(arguments.responses, arguments.scores)
    tiers = stratify(scored)
    if tiers.empty:
        raise InputError(
            arguments.responses,
            "no prompt has two scored responses",
            "choose a scorer that covers the data, or add responses",
        )
    write_table(tiers, arguments.out, TIERS)
    write_json(tier_card(scored, tiers, unscored), arguments.card)


if __name__ == "__main__":
    cli.run(main)
