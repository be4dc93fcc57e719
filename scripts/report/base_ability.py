"""Table: what policies can do before any preference training, next to the data that they are trained on.

A policy has room to learn where the best of its samples lies far above their mean (latent ability), and it can learn
from data that is better than itself. Per policy, over prompts: the mean score of its samples, of the best and
of the worst of each prompt's; the mean and the best of the data's responses; the share of prompts on which its mean
sample beats the data's mean, and its best sample the data's best. Samples without a score, empty ones among them, are
left out and counted.
"""

from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from scripts.lib.errors import InputError
from scripts.lib.schemas import SAMPLES, SCORES
from scripts.lib.scored import read_scored
from scripts.lib.tables import read_table

COLUMNS = [
    *("policy", "prompts", "samples", "unscored", "mean", "best", "worst"),
    *("data_mean", "data_best", "beats_data_mean", "beats_data_best"),
]


def ability(samples: pd.DataFrame, data: pd.DataFrame) -> dict[str, float]:
    """The columns from ``prompts`` on. samples, data: (prompt_id, score); samples without a score are NaN.

    Raises InputError if no prompt has scored samples and scored responses.
    """
    own = samples.dropna(subset="score").groupby("prompt_id")["score"].agg(["mean", "max", "min", "size"])
    theirs = data.groupby("prompt_id")["score"].agg(["mean", "max"]).add_prefix("data_")
    both = own.join(theirs, how="inner")
    if both.empty:
        raise InputError("samples", "none of their prompts has scored responses", "sample the prompt set of the data")
    return {
        "prompts": len(both),
        "samples": int(both["size"].sum()),
        "unscored": int(samples["score"].isna().sum()),
        "mean": both["mean"].mean(),
        "best": both["max"].mean(),
        "worst": both["min"].mean(),
        "data_mean": both["data_mean"].mean(),
        "data_best": both["data_max"].mean(),
        "beats_data_mean": (both["mean"] > both["data_mean"]).mean(),
        "beats_data_best": (both["max"] > both["data_max"]).mean(),
    }


def main() -> None:
    parser = cli.parser_of("scripts.report.base_ability", __doc__)
    parser.add_argument("--policies", nargs="+", required=True)
    parser.add_argument("--samples", type=Path, nargs="+", required=True, help="one table per policy")
    parser.add_argument("--sample-scores", type=Path, nargs="+", required=True, help="one table per policy")
    parser.add_argument("--responses", type=Path, required=True, help="the data's")
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="of the data's families")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    data, _ = read_scored(arguments.responses, arguments.scores)
    rows = []
    of_each = zip(arguments.policies, arguments.samples, arguments.sample_scores, strict=True)
    for policy, samples, scores in of_each:
        found = read_table(samples, SAMPLES)[["prompt_id", "response_id"]]
        found = found.merge(read_table(scores, SCORES), on="response_id", how="left")
        rows.append({"policy": policy} | ability(found, data))
    write_csv(rows, COLUMNS, arguments.out)


if __name__ == "__main__":
    cli.run(main)
