"""Makes a dataset with a ranker or a scorer: two random responses of each prompt, the better one over the other.

The two are those that ``scripts.pairs.compare`` would draw, from a prompt set's responses or from a policy's own
samples. A ranker's scores are the probability that a response wins, p and 1 - p, from both orders of the two.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from scripts.lib import cli
from scripts.lib.config.pairs import RankedPairs
from scripts.lib.config.scorers import RankerSpec
from scripts.lib.errors import InputError
from scripts.lib.ids import Messages
from scripts.lib.schemas import PAIRS, PROMPTS, RESPONSES
from scripts.lib.scored import read_scored
from scripts.lib.tables import ordered, read_batches, read_table, write_json, write_table
from scripts.pairs.compare import draw_comparisons

FirstWins = Callable[[Sequence[tuple[Messages, str, str]]], list[float | None]]
"""As ``Ranker.first_wins``: the probability that the first of two responses to a prompt is better; None: no room."""


def draw(responses: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, dict[str, int]]:
    """Two responses (prompt_id, first_id, second_id) of each prompt with at least two, and how many prompts have fewer.

    responses: (prompt_id, response_id), in any order.
    """
    apart = ordered(responses, ["response_id"])
    pairs, dropped = draw_comparisons(apart.assign(score=np.arange(len(apart), dtype=float)), seed)
    names = {"rejected_id": "first_id", "chosen_id": "second_id"}
    two = pairs.rename(columns=names)[["prompt_id", "first_id", "second_id"]]
    return two, {"prompt_with_one_response": dropped["prompt_with_one_response"]}


def by_win(drawn: pd.DataFrame, wins: Sequence[float | None], origin: str) -> tuple[pd.DataFrame, dict[str, int]]:
    """PAIRS from the drawn (prompt_id, first_id, second_id) in which one wins, and how many give none, by reason."""
    first_wins = np.array(wins, dtype=float)  # None becomes NaN
    room, tie, first = ~np.isnan(first_wins), first_wins == 0.5, first_wins > 0.5
    pairs = pd.DataFrame(
        {
            "prompt_id": drawn["prompt_id"],
            "chosen_id": drawn["first_id"].where(first, drawn["second_id"]),
            "rejected_id": drawn["second_id"].where(first, drawn["first_id"]),
            "chosen_score": np.maximum(first_wins, 1.0 - first_wins),
            "rejected_score": np.minimum(first_wins, 1.0 - first_wins),
            "origin": origin,
        }
    )[room & ~tie]
    return pairs.reset_index(drop=True), {"no_room_for_both": int((~room).sum()), "equal_scores": int(tie.sum())}


def by_ranker(
    responses: Path, prompts: Path, seed: int, first_wins: FirstWins, origin: str
) -> tuple[pd.DataFrame, dict[str, int]]:
    """PAIRS, and how many prompts gave none, by reason. Raises InputError for a response whose prompt is missing."""
    drawn, alone = draw(read_table(responses, RESPONSES, ["prompt_id", "response_id"]), seed)
    ids = pa.array(pd.concat([drawn["first_id"], drawn["second_id"]]))
    texts: dict[str, str] = {}
    for batch in read_batches(responses, RESPONSES, ["response_id", "response"]):
        part = batch.filter(pc.is_in(batch["response_id"], value_set=ids))
        texts.update(zip(part["response_id"].to_pylist(), part["response"].to_pylist(), strict=True))
    known = read_table(prompts, PROMPTS, ["prompt_id", "prompt"])
    prompt_of = dict(zip(known["prompt_id"], known["prompt"], strict=True))
    if strangers := sorted(set(drawn["prompt_id"]) - set(prompt_of)):
        raise InputError(
            responses,
            f"has responses to {strangers[0]}, which {prompts} does not have",
            "give the prompts of the same prompt set",
        )
    two = zip(drawn["prompt_id"], drawn["first_id"], drawn["second_id"], strict=True)
    wins = first_wins([(prompt_of[prompt], texts[first], texts[second]) for prompt, first, second in two])
    pairs, dropped = by_win(drawn, wins, origin)
    return pairs, alone | dropped


def by_scorer(responses: Path, scores: Sequence[Path], seed: int, origin: str) -> tuple[pd.DataFrame, dict[str, int]]:
    """PAIRS, and how many prompts gave none, by reason, along with the number of responses without a score."""
    scored, unscored = read_scored(responses, scores)
    pairs, dropped = draw_comparisons(scored, seed)
    return pairs.assign(origin=origin), dropped | {"response_without_score": unscored}


def main() -> None:
    parser = cli.parser_of("scripts.pairs.ranked", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(RankedPairs), required=True, help="JSON of the pairs entry")
    parser.add_argument("--responses", type=Path, required=True, help="the prompt set's or the sample set's responses")
    parser.add_argument("--scores", type=Path, nargs="+", help="of a scorer: one file per family")
    parser.add_argument("--ranker-spec", type=cli.spec_of(RankerSpec), help="of a ranker: JSON of its rankers entry")
    parser.add_argument("--model-dir", type=Path, help="of a ranker trained here: its folder")
    parser.add_argument("--prompts", type=Path, help="of a ranker: the prompts behind the responses")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--card", type=Path, required=True)
    arguments = parser.parse_args()

    spec = arguments.spec
    origin = f"ranked by {spec.scorer or spec.ranker}"
    needed = ("scores",) if spec.scorer else ("ranker_spec", "prompts")
    if missing := [name for name in needed if getattr(arguments, name) is None]:
        parser.error(f"pairs {origin} need --{missing[0].replace('_', '-')}")
    if spec.scorer:
        threads = None
        pairs, dropped = by_scorer(arguments.responses, arguments.scores, spec.seed, origin)
        remedy = "choose a scorer that covers the data and tells responses apart, or add responses"
    else:
        from scripts.lib.rankers import ranker_of
        from scripts.lib.threads import cpu_threads

        threads = cpu_threads()
        ranker = ranker_of(arguments.ranker_spec, arguments.model_dir)
        pairs, dropped = by_ranker(arguments.responses, arguments.prompts, spec.seed, ranker.first_wins, origin)
        remedy = "raise the ranker's max_length, choose one that tells responses apart, or add responses"
    if pairs.empty:
        raise InputError(
            arguments.responses, f"no prompt has two responses of which one is the better ({dropped})", remedy
        )
    write_table(pairs, arguments.out, PAIRS)
    write_json({**spec.model_dump(), "pairs": len(pairs), "dropped": dropped, "threads": threads}, arguments.card)


if __name__ == "__main__":
    cli.run(main)
