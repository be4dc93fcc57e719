"""Makes a dataset of the preferences that came with sources: all pairs of a prompt, as they were labelled.

A pair is kept if both of its responses are in the prompt set. The scores are the label itself: 1 for the chosen, 0 for
the rejected response. A pair labelled the same way several times is kept once; a pair labelled both ways is kept both
ways, because that is what the data says.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from scripts.lib import cli
from scripts.lib.config.pairs import LabelledPairs
from scripts.lib.errors import InputError
from scripts.lib.schemas import PAIRS, PREFERENCES, RESPONSES
from scripts.lib.tables import ordered, read_table, write_json, write_table

IDS = ["prompt_id", "chosen_id", "rejected_id"]


def labelled(preferences: pd.DataFrame, responses: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """PAIRS sorted by prompt and ids, and the number of preferences left out, by reason.

    preferences: (prompt_id, chosen_id, rejected_id). responses: (prompt_id, response_id) of the prompt set.
    """

    def known(column: str, ids: str) -> np.ndarray:
        found = pc.is_in(pa.array(preferences[column], pa.string()), value_set=pa.array(responses[ids], pa.string()))
        return found.to_numpy(zero_copy_only=False)

    of_prompt = known("prompt_id", "prompt_id")
    both = of_prompt & known("chosen_id", "response_id") & known("rejected_id", "response_id")
    kept = preferences.loc[both, IDS]
    pairs = ordered(kept.drop_duplicates(), IDS)
    return pairs.assign(chosen_score=1.0, rejected_score=0.0, origin="labelled"), {
        "prompt_not_in_prompt_set": int((~of_prompt).sum()),
        "response_not_in_prompt_set": int((of_prompt & ~both).sum()),
        "labelled_again": len(kept) - len(pairs),
    }


def contradicted(pairs: pd.DataFrame) -> int:
    """The number of pairs that also occur with the sides exchanged; both of such two count."""
    reverse = pairs[IDS].rename(columns={"chosen_id": "rejected_id", "rejected_id": "chosen_id"})
    return len(pairs[IDS].merge(reverse, on=IDS))


def main() -> None:
    parser = cli.parser_of("scripts.pairs.labelled", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(LabelledPairs), required=True, help="JSON of the pairs entry")
    parser.add_argument("--responses", type=Path, required=True, help="the prompt set's responses")
    parser.add_argument("--preferences", type=Path, nargs="+", required=True, help="one file per source")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--card", type=Path, required=True)
    arguments = parser.parse_args()

    responses = read_table(arguments.responses, RESPONSES, ["prompt_id", "response_id"])
    read = pd.concat([read_table(path, PREFERENCES, IDS) for path in arguments.preferences], ignore_index=True)
    pairs, dropped = labelled(read, responses)
    if pairs.empty:
        raise InputError(
            arguments.responses,
            f"holds both responses of none of {len(read)} preferences ({dropped})",
            "name sources of this prompt set, or relax what it drops: generators, min_responses, limit",
        )
    write_table(pairs, arguments.out, PAIRS)
    card = {
        **arguments.spec.model_dump(),
        "pairs": len(pairs),
        "prompts": pairs["prompt_id"].nunique(),
        "contradicted": contradicted(pairs),
        "dropped": dropped,
    }
    write_json(card, arguments.card)


if __name__ == "__main__":
    cli.run(main)
