"""The pairs with what is known of both sides: where the prompt is from, who wrote each response, its text and score."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from scripts.lib.errors import InputError
from scripts.lib.schemas import PAIRS, PROMPTS, RESPONSES, SCORES
from scripts.lib.tables import read_table

SIDES = ("chosen", "rejected")


def read_responses(paths: Sequence[Path]) -> pd.DataFrame:
    """(response_id, prompt_id, family, response) of prompt sets and sample sets, each response once."""
    columns = ["response_id", "prompt_id", "family", "response"]
    tables = [read_table(path, RESPONSES, columns) for path in paths]
    return pd.concat(tables, ignore_index=True).drop_duplicates("response_id", ignore_index=True)


def read_scores(paths: Sequence[Path]) -> pd.Series:
    """Response id -> score, of all families; a response in two families is scored once."""
    scores = pd.concat([read_table(path, SCORES) for path in paths], ignore_index=True)
    return scores.drop_duplicates("response_id").set_index("response_id")["score"]


def read_sides(pairs: Path, prompts: Sequence[Path], responses: pd.DataFrame) -> pd.DataFrame:
    """(pair, prompt_id, chosen_id, rejected_id, source, and of either side its family and text), in the pairs' order.

    Raises InputError for a pair whose prompt or response is in none of the tables.
    """
    table = read_table(pairs, PAIRS, ["prompt_id", "chosen_id", "rejected_id"])
    sources = pd.concat([read_table(path, PROMPTS, ["prompt_id", "source"]) for path in prompts], ignore_index=True)
    found = table.assign(pair=range(len(table)))
    found["source"] = table["prompt_id"].map(sources.drop_duplicates("prompt_id").set_index("prompt_id")["source"])
    known = responses.set_index("response_id")
    for side in SIDES:
        found[f"{side}_family"] = table[f"{side}_id"].map(known["family"])
        found[f"{side}_text"] = table[f"{side}_id"].map(known["response"])
    lost = found[["source", "chosen_family", "rejected_family"]].isna()
    if lost.any(axis=None):
        row = int(lost.any(axis=1).to_numpy().argmax())
        first = lost.columns[lost.iloc[row]][0]
        what = "prompt" if first == "source" else f"{first.removesuffix('_family')} response"
        raise InputError(
            f"{pairs}, row {row}",
            f"its {what} is in none of the tables given",
            "give the prompts and responses that the pairs are made of",
        )
    return found


def with_scores(sides: pd.DataFrame, scores: pd.Series) -> pd.DataFrame:
    """The sides with chosen_score and rejected_score of a scorer; NaN for a response that it did not score."""
    return sides.assign(**{f"{side}_score": sides[f"{side}_id"].map(scores).astype(float) for side in SIDES})
