"""Responses joined with their scores."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from scripts.lib.errors import InputError
from scripts.lib.schemas import RESPONSES, SCORES
from scripts.lib.tables import read_table


def read_scored(responses: Path, scores: Sequence[Path]) -> tuple[pd.DataFrame, int]:
    """Scored responses (prompt_id, response_id, score), and how many responses have no score.

    scores: one file a family. Raises InputError for a score of a response that is not there.
    """
    known = read_table(responses, RESPONSES)
    given = pd.concat([read_table(path, SCORES) for path in scores], ignore_index=True)
    unknown = ~given["response_id"].isin(known["response_id"])
    if unknown.any():
        raise InputError(
            scores[0].parent,
            f"{unknown.sum()} scores, such as that of {given.loc[unknown, 'response_id'].iloc[0]}, "
            f"belong to no response in {responses}",
            "delete the scores and run snakemake again",
        )
    scored = known[["prompt_id", "response_id"]].merge(given, on="response_id", validate="one_to_one")
    return scored, len(known) - len(scored)
