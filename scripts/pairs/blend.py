"""Blends two datasets: on-policy pairs for a share of the prompts, off-policy pairs for the others.

The share is the boundary score of the policy that learns from them: how often its own samples are preferred to
off-policy responses. "Is On-Policy Data Always the Best Choice for Direct Preference Optimization-based LM Alignment?"
switches from one dataset to the other where the score is 0.5, and leaves blends open (section 7). This one has nothing
to be chosen: a score of 0 gives the off-policy dataset, a score of 1 the on-policy one.

Prompts are taken in an order that depends only on the seed and their ids: a larger share takes the prompts of a smaller
one and more. A prompt that the dataset of its side does not have gives no pair; the card counts them.
"""

import math
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.lib import cli
from scripts.lib.config.pairs import BlendPairs
from scripts.lib.errors import InputError
from scripts.lib.ids import seed_of
from scripts.lib.results import read_evaluation
from scripts.lib.schemas import PAIRS
from scripts.lib.tables import ordered, read_table, write_json, write_table

OFF, ON = "off-policy", "on-policy"
"""The origin of a pair."""


def blend(
    off_policy: pd.DataFrame, on_policy: pd.DataFrame, share: float, seed: int
) -> tuple[pd.DataFrame, dict[str, int]]:
    """The blend, by prompt and chosen response, and how many prompts each side has and lacks.

    off_policy, on_policy: PAIRS, each with all its pairs of a prompt or none. floor(share * n) of the n prompts of both
    together are on-policy; share: 0 to 1.
    """
    prompts = np.array(sorted({*off_policy["prompt_id"], *on_policy["prompt_id"]}), dtype=object)
    drawn = np.fromiter((seed_of("blend", seed, each) for each in prompts), np.int64, len(prompts))
    taken = math.floor(share * len(prompts) + 1e-9)  # 0.29 * 100 is 28.999...
    sides = np.split(prompts[np.argsort(drawn, kind="stable")], [taken])
    parts, counts = [], {}
    for origin, pairs, members in zip((ON, OFF), (on_policy, off_policy), sides, strict=True):
        part = pairs[pairs["prompt_id"].isin(members)]
        parts.append(part.assign(origin=origin))
        found, name = part["prompt_id"].nunique(), origin.replace("-", "_")
        counts |= {name: found, f"without_{name}_pair": len(members) - found}
    return ordered(pd.concat(parts), ["prompt_id", "chosen_id"]).reset_index(drop=True), counts


def main() -> None:
    parser = cli.parser_of("scripts.pairs.blend", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(BlendPairs), required=True, help="JSON of the pairs entry")
    parser.add_argument("--off-policy", type=Path, required=True)
    parser.add_argument("--on-policy", type=Path, required=True)
    parser.add_argument("--boundary", type=Path, required=True, help="the record of the start's boundary score")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--card", type=Path, required=True)
    arguments = parser.parse_args()

    spec, share = arguments.spec, read_evaluation(arguments.boundary).value / 100
    datasets = [read_table(path, PAIRS) for path in (arguments.off_policy, arguments.on_policy)]
    pairs, counts = blend(*datasets, share, spec.seed)
    if pairs.empty:
        raise InputError(
            arguments.on_policy, f"none of the prompts that a share of {share:.2f} takes has a pair", "add prompts"
        )
    write_table(pairs, arguments.out, PAIRS)
    dropped = {name: count for name, count in counts.items() if name.startswith("without")}
    kept = {name: count for name, count in counts.items() if name not in dropped}
    write_json({**spec.model_dump(), "share": share, "pairs": len(pairs), **kept, "dropped": dropped}, arguments.card)


if __name__ == "__main__":
    cli.run(main)
