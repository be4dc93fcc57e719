"""Joins the shards of a sample set into one table, and stores its distinct responses as a family."""

from pathlib import Path

import pandas as pd

from scripts.lib.cli import parser_of, run
from scripts.lib.schemas import RESPONSES, SAMPLES
from scripts.lib.tables import read_table, write_table


def distinct(samples: pd.DataFrame) -> pd.DataFrame:
    """RESPONSES: each text sampled for a prompt, once, in the samples' order, without the empty text."""
    columns = ["response_id", "prompt_id", "family", "response"]
    return samples[samples["response"] != ""].drop_duplicates("response_id", ignore_index=True)[columns]


def main() -> None:
    parser = parser_of("scripts.samples.gather", __doc__)
    parser.add_argument("--shards", type=Path, nargs="+", required=True, help="samples tables, in order")
    parser.add_argument("--out", type=Path, required=True, help="the samples table to write")
    parser.add_argument("--responses", type=Path, required=True, help="the distinct responses are written here")
    arguments = parser.parse_args()

    samples = pd.concat([read_table(path, SAMPLES) for path in arguments.shards], ignore_index=True)
    write_table(samples, arguments.out, SAMPLES)
    write_table(distinct(samples), arguments.responses, RESPONSES)


if __name__ == "__main__":
    run(main)
