"""Makes a counterfactual dataset: the chosen responses of one dataset over the rejected responses of another.

"LG-HQ-inverse maintains LG-HQ's high chosen quality but reduces its gap, and SG-HQ-inverse preserves SG-HQ's high
chosen quality while expanding its gap" ("What Matters in Data for DPO?", section 5.3). All chosen responses of the
first dataset are kept: otherwise more than the rejected side would differ.
"""

from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.config.pairs import CounterfactualPairs
from scripts.lib.errors import InputError
from scripts.lib.schemas import PAIRS
from scripts.lib.tables import read_table, write_json, write_table


def cross(chosen: pd.DataFrame, rejected: pd.DataFrame, where: str) -> pd.DataFrame:
    """PAIRS in the order of ``chosen``. Raises InputError if a prompt lacks a rejected response with a lower score."""
    theirs = rejected.set_index("prompt_id")[["rejected_id", "rejected_score"]]
    if theirs.index.has_duplicates or chosen["prompt_id"].duplicated().any():
        raise InputError(where, "a prompt has several pairs", "cross datasets with one pair a prompt")
    pairs = chosen[["prompt_id", "chosen_id", "chosen_score"]].join(theirs, on="prompt_id")
    bad = ~(pairs["chosen_score"] > pairs["rejected_score"])
    if bad.any():
        first = pairs[bad].iloc[0]
        raise InputError(
            where,
            f"{int(bad.sum())} prompts, such as {first['prompt_id']}, have no rejected response there that scores "
            "below their chosen one",
            "name the other dataset as chosen_above (of the one that gives the chosen responses) or rejected_below "
            "(of the one that gives the rejected): the two are then selected to fit",
        )
    return pairs[["prompt_id", "chosen_id", "rejected_id", "chosen_score", "rejected_score"]].reset_index(drop=True)


def main() -> None:
    parser = cli.parser_of("scripts.pairs.counterfactual", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(CounterfactualPairs), required=True, help="JSON of the pairs entry")
    parser.add_argument("--chosen-of", type=Path, required=True, help="pairs that give the chosen responses")
    parser.add_argument("--rejected-of", type=Path, required=True, help="pairs that give the rejected responses")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--card", type=Path, required=True)
    arguments = parser.parse_args()

    spec = arguments.spec
    chosen, rejected = read_table(arguments.chosen_of, PAIRS), read_table(arguments.rejected_of, PAIRS)
    pairs = cross(chosen, rejected, f"{arguments.chosen_of} over {arguments.rejected_of}")
    write_table(pairs.assign(origin=f"{spec.chosen_of} over {spec.rejected_of}"), arguments.out, PAIRS)
    gap = (pairs["chosen_score"] - pairs["rejected_score"]).mean()
    reached = {"mean_chosen": float(pairs["chosen_score"].mean()), "mean_gap": float(gap)}
    write_json({**spec.model_dump(), "pairs": len(pairs), "reached": reached}, arguments.card)


if __name__ == "__main__":
    cli.run(main)
