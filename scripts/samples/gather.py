"""Joins the shards of a sample set into one table, and stores its distinct responses as a family."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from scripts.lib.cli import parser_of, run
from scripts.lib.schemas import RESPONSES, SAMPLES
from scripts.lib.tables import card_of, read_json, read_table, write_json, write_table


def distinct(samples: pd.DataFrame) -> pd.DataFrame:
    """RESPONSES: each text sampled for a prompt, once, in the samples' order, without the empty text.

    A text that was once finished and once cut short is two responses.
    """
    columns = ["response_id", "prompt_id", "family", "response", "finished"]
    return samples[samples["response"] != ""].drop_duplicates("response_id", ignore_index=True)[columns]


def joined(cards: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One card of the shards': their counts together, and their threads, as a list by shard only where they differ."""
    counts = [{key: value for key, value in card.items() if key != "threads"} for card in cards]
    threads = [card["threads"] for card in cards]
    return summed(counts) | {"threads": threads if len(set(threads)) > 1 else threads[0]}


def summed(cards: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The sums of several cards' counts."""
    whole: dict[str, Any] = {}
    for card in cards:
        for key, value in card.items():
            whole[key] = summed([whole.get(key, {}), value]) if isinstance(value, dict) else whole.get(key, 0) + value
    return whole


def main() -> None:
    parser = parser_of("scripts.samples.gather", __doc__)
    parser.add_argument("--shards", type=Path, nargs="+", required=True, help="samples tables, in order")
    parser.add_argument("--out", type=Path, required=True, help="the samples table to write")
    parser.add_argument("--responses", type=Path, required=True, help="the distinct responses are written here")
    arguments = parser.parse_args()

    samples = pd.concat([read_table(path, SAMPLES) for path in arguments.shards], ignore_index=True)
    write_table(samples, arguments.out, SAMPLES)
    write_table(distinct(samples), arguments.responses, RESPONSES)
    write_json(joined([read_json(card_of(path)) for path in arguments.shards]), card_of(arguments.out))


if __name__ == "__main__":
    run(main)
