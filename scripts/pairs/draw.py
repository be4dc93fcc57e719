"""Takes one of several draws of a preference dataset: disjoint parts of its prompts, of nearly equal size.

Prompts are a sample, so that another collection of the data would have given another policy. Draws stand for other
collections: results differ from draw to draw by that chance too. The part that a prompt is in depends on its id alone,
so that all datasets over a prompt set are divided in the same way.
"""

from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.errors import InputError
from scripts.lib.ids import seed_of
from scripts.lib.schemas import PAIRS
from scripts.lib.tables import read_table, write_json, write_table
from scripts.pairs.mix import CHOSEN, REJECTED


def draw_of(pairs: pd.DataFrame, draw: int, draws: int) -> pd.DataFrame:
    """The pairs whose prompts are in part number ``draw``, counted from 1, in the order of ``pairs``."""
    parts = {each: seed_of("draw", each) % draws + 1 for each in pairs["prompt_id"].unique()}
    return pairs[pairs["prompt_id"].map(parts) == draw].reset_index(drop=True)


def main() -> None:
    parser = cli.parser_of("scripts.pairs.draw", __doc__)
    parser.add_argument("--pairs", type=Path, required=True, help="the whole dataset")
    parser.add_argument("--draw", type=int, required=True, help="which part, from 1")
    parser.add_argument("--draws", type=int, required=True, help="how many parts")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--card", type=Path, required=True)
    arguments = parser.parse_args()
    if not 1 <= arguments.draw <= arguments.draws:
        parser.error(f"--draw {arguments.draw} is not between 1 and --draws {arguments.draws}")

    whole = read_table(arguments.pairs, PAIRS)
    pairs = draw_of(whole, arguments.draw, arguments.draws)
    if pairs.empty:
        raise InputError(
            arguments.pairs, f"no pair of its {len(whole)} is in draw {arguments.draw}", "divide it into fewer draws"
        )
    write_table(pairs, arguments.out, PAIRS)
    write_json(
        {
            "draw": arguments.draw,
            "draws": arguments.draws,
            "pairs": len(pairs),
            "of_pairs": len(whole),
            "replaced_chosen": int((pairs["origin"] == CHOSEN).sum()),
            "replaced_rejected": int((pairs["origin"] == REJECTED).sum()),
        },
        arguments.card,
    )


if __name__ == "__main__":
    cli.run(main)
