"""The texts of some pairs, cut to what a page can show."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from scripts.lib.schemas import PROMPTS, RESPONSES
from scripts.lib.tables import read_batches

PROMPT, RESPONSE = 700, 900
"""Characters that are shown."""


def cut(text: str, most: int) -> str:
    """The beginning of a text, with a mark if it goes on."""
    return text if len(text) <= most else f"{text[:most].rstrip()} …"


def examples(
    rows: pd.DataFrame, wanted: Iterable[int], prompts: Sequence[Path], responses: Sequence[Path]
) -> dict[int, dict[str, str]]:
    """Row -> prompt, chosen, rejected, place: what the page shows of it.

    rows: the table of measures (pair, ids). Only the texts of the wanted rows are in memory.
    """
    some = rows.iloc[sorted(set(wanted))]
    asked = _texts(prompts, PROMPTS, "prompt_id", "prompt", some["prompt_id"])
    said = _texts(responses, RESPONSES, "response_id", "response", [*some["chosen_id"], *some["rejected_id"]])
    found = {}
    for row in some.to_dict("records"):
        turns = asked[row["prompt_id"]]
        prompt = turns[0]["content"] if len(turns) == 1 else "\n".join(f"{e['role']}: {e['content']}" for e in turns)
        place = f"pair {row['pair']}"
        if "row" in row and pd.notna(row["row"]):
            place += f", {row['source']} row {int(row['row'])}"
        found[int(row["pair"])] = {
            "place": place,
            "prompt": prompt if len(prompt) <= PROMPT else f"… {prompt[-PROMPT:].lstrip()}",
            "chosen": cut(said[row["chosen_id"]], RESPONSE),
            "rejected": cut(said[row["rejected_id"]], RESPONSE),
        }
    return found


def _texts(paths: Sequence[Path], schema, key: str, column: str, wanted: Iterable[str]) -> dict:
    ids = pa.array(sorted(set(wanted)), pa.string())
    found: dict = {}
    for path in paths:
        for batch in read_batches(path, schema, [key, column]):
            kept = batch.filter(pc.is_in(batch[key], value_set=ids))
            for its_id, text in zip(kept[key].to_pylist(), kept[column].to_pylist(), strict=True):
                found.setdefault(its_id, text)
    return found
