"""Mixes on-policy samples into an offline dataset: Algorithm 1 of "What Matters in Data for DPO?" (Appendix B.2).

For a share of the prompts, the best of the policy's k samples, by the scorer that made the dataset, is compared with
the chosen response: if it scores higher, the sample becomes the chosen response and the chosen the rejected one; if
lower, the sample becomes the rejected response. The algorithm leaves open which prompts to take, and how ties are
handled:

- Prompts are taken in an order that depends only on the seed and the prompt ids. A larger ratio takes the prompts of
  a smaller one and more.
- A best sample with the same score as the chosen response expresses no preference, and a prompt may have no sample with
  a score (all were empty). Such prompts keep their offline pair, and the next prompt in order takes their place, so
  that the ratio is the requested one. The card counts them.
"""

import math
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.lib import cli
from scripts.lib.config.pairs import MixturePairs
from scripts.lib.errors import InputError
from scripts.lib.ids import seed_of
from scripts.lib.schemas import PAIRS
from scripts.lib.scored import read_scored
from scripts.lib.tables import ordered, read_table, write_json, write_table

CHOSEN, REJECTED = "on-policy chosen", "on-policy rejected"
"""The origin of a replaced pair: which side the sample is on."""


def best_of(samples: pd.DataFrame) -> pd.DataFrame:
    """Each prompt's best-scored sample (prompt_id, response_id, score); ties go to the first by id."""
    ranked = ordered(samples, ["prompt_id", "score", "response_id"], descending=["score"])
    return ranked.drop_duplicates("prompt_id")[["prompt_id", "response_id", "score"]]


def mix(pairs: pd.DataFrame, samples: pd.DataFrame, ratio: float, seed: int) -> tuple[pd.DataFrame, dict[str, int]]:
    """The mixture, in the order of ``pairs``, and counts of the outcomes for the prompts taken.

    pairs: PAIRS with one pair per prompt. samples: scored (prompt_id, response_id, score). Exactly
    floor(ratio * len(pairs)) pairs are replaced. Raises InputError if too few prompts have a usable sample.
    """
    wanted = math.floor(ratio * len(pairs) + 1e-9)  # 0.29 * 100 is 28.999...
    best = pairs[["prompt_id"]].merge(best_of(samples), on="prompt_id", how="left")
    drawn = np.fromiter((seed_of("on-policy", seed, each) for each in pairs["prompt_id"]), np.int64, len(pairs))
    order = np.argsort(drawn, kind="stable")
    score, chosen = best["score"].to_numpy(float), pairs["chosen_score"].to_numpy(float)
    none, tie = np.isnan(score[order]), score[order] == chosen[order]
    meets = ~none & ~tie
    seen = np.cumsum(meets) - meets < wanted  # until ``wanted`` are replaced
    taken = order[meets & seen]
    above, below = taken[score[taken] > chosen[taken]], taken[score[taken] < chosen[taken]]
    counts = {
        "replaced_chosen": len(above),
        "replaced_rejected": len(below),
        "kept_for_a_tie": int((tie & seen).sum()),
        "kept_without_a_sample": int((none & seen).sum()),
    }
    columns = {name: pairs[name].to_numpy(copy=True) for name in pairs.columns}
    columns["rejected_id"][above], columns["rejected_score"][above] = columns["chosen_id"][above], chosen[above]
    for side, at, origin in (("chosen", above, CHOSEN), ("rejected", below, REJECTED)):
        columns[f"{side}_id"][at], columns[f"{side}_score"][at] = best["response_id"].to_numpy()[at], score[at]
        columns["origin"][at] = origin
    mixed = pd.DataFrame(columns, index=pairs.index)
    replaced = len(taken)
    if replaced < wanted:
        raise InputError(
            "mixture",
            f"{wanted} of {len(pairs)} pairs are to be replaced, and {replaced} prompts have a sample that scores "
            f"above or below their chosen response ({counts})",
            "lower the ratio, or draw more samples a prompt",
        )
    return mixed, counts


def main() -> None:
    parser = cli.parser_of("scripts.pairs.mix", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(MixturePairs), required=True, help="JSON of the pairs entry")
    parser.add_argument("--pairs", type=Path, required=True, help="the offline dataset")
    parser.add_argument("--samples", type=Path, required=True, help="the sample set's responses")
    parser.add_argument("--scores", type=Path, required=True, help="their scores, by the offline dataset's scorer")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--card", type=Path, required=True)
    arguments = parser.parse_args()

    spec = arguments.spec
    samples, unscored = read_scored(arguments.samples, [arguments.scores])
    pairs = read_table(arguments.pairs, PAIRS)
    if pairs["prompt_id"].duplicated().any():
        raise InputError(arguments.pairs, "a prompt has several pairs", "mix into a dataset with one pair a prompt")
    mixed, counts = mix(pairs, samples, spec.ratio, spec.seed)
    write_table(mixed, arguments.out, PAIRS)
    means = {side: float(mixed[f"{side}_score"].mean()) for side in ("chosen", "rejected")}
    write_json(
        {
            **spec.model_dump(),
            "pairs": len(mixed),
            "mean_score": means,
            **counts,
            "dropped": {"sample_without_score": unscored},
        },
        arguments.card,
    )


if __name__ == "__main__":
    cli.run(main)
