"""Makes a dataset of random comparisons: two random responses of each prompt, the higher score over the lower.

This is how people (and LLM judges) are shown responses when they label data for a reward model; tiers play no part. The
draw depends only on the seed and the ids.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from scripts.lib import cli
from scripts.lib.config.pairs import ComparisonPairs
from scripts.lib.errors import InputError
from scripts.lib.ids import seed_of
from scripts.lib.schemas import PAIRS
from scripts.lib.scored import read_scored
from scripts.lib.tables import ordered, runs_of, write_json, write_table
from scripts.pairs.match import match


def draw_comparisons(scored: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, dict[str, int]]:
    """One pair per prompt of scored responses (prompt_id, response_id, score), and how many prompts gave none."""
    order = (seed_of(seed, response) for response in scored["response_id"])
    drawn = ordered(scored.assign(order=np.fromiter(order, np.int64, len(scored))), ["prompt_id", "order"])
    start, size = runs_of(drawn["prompt_id"])
    start = start[size > 1]
    two = ordered(drawn.take(np.sort(np.r_[start, start + 1])), ["prompt_id", "score"], descending=["score"])
    pairs, dropped = match(two[::2], two[1::2], "comparison")
    return pairs, {"prompt_with_one_response": int((size == 1).sum()), **dropped}


def main() -> None:
    parser = cli.parser_of("scripts.pairs.compare", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(ComparisonPairs), required=True, help="JSON of the pairs entry")
    parser.add_argument("--responses", type=Path, required=True, help="the prompt set's responses")
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="one file per family")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--card", type=Path, required=True)
    arguments = parser.parse_args()

    scored, unscored = read_scored(arguments.responses, arguments.scores)
    pairs, dropped = draw_comparisons(scored, arguments.spec.seed)
    if pairs.empty:
        raise InputError(
            arguments.responses,
            f"no prompt has two responses with different scores ({dropped})",
            "choose a scorer that covers the data and tells responses apart",
        )
    write_table(pairs, arguments.out, PAIRS)
    dropped["response_without_score"] = unscored
    write_json({**arguments.spec.model_dump(), "pairs": len(pairs), "dropped": dropped}, arguments.card)


if __name__ == "__main__":
    cli.run(main)
