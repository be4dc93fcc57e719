"""Makes one preference dataset: for each prompt, a response of one tier over one of a lower tier.

The eight configurations Best/x and x/Worst of "What Matters in Data for DPO?" (section 5.2, Table 1) differ only in the
tiers. A pair consists of ids and scores; texts stay where they are stored.
"""

from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.config.pairs import TierPairs
from scripts.lib.errors import InputError
from scripts.lib.schemas import PAIRS, TIERS
from scripts.lib.tables import read_table, write_json, write_table
from scripts.pairs.match import match


def pair_tiers(tiers: pd.DataFrame, chosen: str, rejected: str) -> tuple[pd.DataFrame, dict[str, int]]:
    """The pairs, one per prompt in the order of ``tiers``, and how many prompts gave none, by reason."""
    upper, lower = tiers[tiers["tier"] == chosen], tiers[tiers["tier"] == rejected]
    pairs, dropped = match(upper, lower, f"{chosen}/{rejected}")
    prompts = int(tiers["prompt_id"].nunique())
    return pairs, {"prompt_without_both_tiers": prompts - len(pairs) - dropped["equal_scores"], **dropped}


def main() -> None:
    parser = cli.parser_of("scripts.pairs.pair", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(TierPairs), required=True, help="JSON of the pairs entry")
    parser.add_argument("--tiers", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--card", type=Path, required=True)
    arguments = parser.parse_args()

    spec = arguments.spec
    pairs, dropped = pair_tiers(read_table(arguments.tiers, TIERS), spec.chosen, spec.rejected)
    if pairs.empty:
        raise InputError(
            arguments.tiers,
            f"no prompt gives a {spec.chosen}/{spec.rejected} pair ({dropped})",
            "choose tiers that the data fills: prompts with fewer than five responses lack some",
        )
    write_table(pairs, arguments.out, PAIRS)
    write_json({**spec.model_dump(), "pairs": len(pairs), "dropped": dropped}, arguments.card)


if __name__ == "__main__":
    cli.run(main)
