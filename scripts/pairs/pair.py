"""Make one preference dataset: for each prompt, a response of one tier against one of a lower tier.

The eight configurations Best/x and x/Worst of "What Matters in Data for DPO?" (section 5.2, Table 1)
are this with other tiers. A pair is ids and scores; its texts stay where they are stored.
"""

from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.config.pairs import TierPairs
from scripts.lib.errors import InputError
from scripts.lib.schemas import PAIRS, TIERS
from scripts.lib.tables import read_table, write_json, write_table


def pair_tiers(tiers: pd.DataFrame, chosen: str, rejected: str) -> tuple[pd.DataFrame, dict[str, int]]:
    """The pairs, one a prompt in the tiers' order, and how many prompts gave none, by reason.

    Two responses with equal scores express no preference and are no pair.
    """
    columns = ["prompt_id", "response_id", "score"]
    upper = tiers.loc[tiers["tier"] == chosen, columns]
    lower = tiers.loc[tiers["tier"] == rejected, columns]
    both = upper.merge(lower, on="prompt_id", suffixes=("_upper", "_lower"), validate="one_to_one")
    differ = both["score_upper"] > both["score_lower"]
    pairs = pd.DataFrame(
        {
            "prompt_id": both["prompt_id"],
            "chosen_id": both["response_id_upper"],
            "rejected_id": both["response_id_lower"],
            "chosen_score": both["score_upper"],
            "rejected_score": both["score_lower"],
            "origin": f"{chosen}/{rejected}",
        }
    )[differ].reset_index(drop=True)
    dropped = {
        "prompt_without_both_tiers": int(tiers["prompt_id"].nunique()) - len(both),
        "equal_scores": int((~differ).sum()),
    }
    return pairs, dropped


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
