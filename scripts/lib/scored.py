"""Responses joined with their scores."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from scripts.lib.errors import InputError
from scripts.lib.schemas import RESPONSES, SCORES
from scripts.lib.tables import read_table


def read_scored(responses: Path, scores: Sequence[Path]) -> tuple[pd.DataFrame, int]:
    """Scored responses (prompt_id, response_id, score), and the number of responses without a score.

    scores: one file per family. Raises InputError for a score whose response is not there.
    """
    known = read_table(responses, RESPONSES, ["prompt_id", "response_id"])
    given = pd.concat([read_table(path, SCORES) for path in scores], ignore_index=True)
    at = pc.index_in(pa.array(given["response_id"]), value_set=pa.array(known["response_id"]))
    if at.null_count:
        unknown = at.is_null().to_numpy(zero_copy_only=False)
        raise InputError(
            scores[0].parent,
            f"{unknown.sum()} scores, such as that of {given.loc[unknown, 'response_id'].iloc[0]}, "
            f"belong to no response in {responses}",
            "delete the scores and run snakemake again",
        )
    places = at.to_numpy()
    score = np.full(len(known), np.nan)
    score[places] = given["score"]
    has = ~np.isnan(score)
    if int(has.sum()) < len(places):
        twice = given["response_id"][pd.Series(places).duplicated()].iloc[0]
        raise InputError(scores[0].parent, f"two scores of response {twice}", "delete them and run snakemake again")
    return known.assign(score=score)[has].reset_index(drop=True), int((~has).sum())
