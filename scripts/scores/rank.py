"""Computes a ranker's probability that the chosen response wins, for each pair of a dataset.

first_id is the pair's chosen_id, so the share of rows with first_wins above 0.5 is the ranker's agreement with the
dataset. The order tells the ranker nothing: p(first, second) = 1 - p(second, first). Pairs whose prompt leaves no room
for two responses have no row; the log counts them.
"""

import logging
from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.config.scorers import RankerSpec
from scripts.lib.errors import InputError
from scripts.lib.rankers import Ranker, ranker_of
from scripts.lib.schemas import RANKINGS
from scripts.lib.tables import write_table
from scripts.lib.texts import PairTexts, texts_of_pairs
from scripts.lib.threads import cpu_threads

log = logging.getLogger(__name__)


def rankings_of(ranker: Ranker, pairs: list[PairTexts]) -> pd.DataFrame:
    """Rankings (prompt_id, first_id, second_id, first_wins) of the pairs that have room, in their order."""
    wins = ranker.first_wins([(pair.prompt, pair.chosen, pair.rejected) for pair in pairs])
    rows = [(*pair.ids, value) for pair, value in zip(pairs, wins, strict=True) if value is not None]
    return pd.DataFrame(rows, columns=list(RANKINGS.columns))


def main() -> None:
    parser = cli.parser_of("scripts.scores.rank", __doc__)
    parser.add_argument("--ranker", required=True, help="its name")
    parser.add_argument("--spec", type=cli.spec_of(RankerSpec), required=True, help="JSON of the rankers entry")
    parser.add_argument("--model-dir", type=Path, help="of a ranker trained here: its folder")
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--prompts", type=Path, nargs="+", required=True, help="prompts behind the pairs")
    parser.add_argument("--responses", type=Path, nargs="+", required=True, help="responses behind the pairs")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    pairs = texts_of_pairs([arguments.pairs], arguments.prompts, arguments.responses)
    rankings = rankings_of(ranker_of(arguments.spec, arguments.model_dir), pairs)
    log.info("%d pairs ranked, %d left out", len(rankings), len(pairs) - len(rankings))
    if rankings.empty:
        raise InputError(
            arguments.pairs,
            f"{arguments.ranker} has room for none of the {len(pairs)} pairs",
            "raise the ranker's max_length",
        )
    log.info("agreement with the pairs: %.3f", (rankings["first_wins"] > 0.5).mean())
    write_table(rankings, arguments.out, RANKINGS, cpu_threads())


if __name__ == "__main__":
    cli.run(main)
