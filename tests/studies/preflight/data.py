"""Pairs with texts, for tests."""

from collections.abc import Sequence

import pandas as pd

from scripts.lib.ids import prompt_id, response_id
from studies.preflight.text.texts import Labels, Texts

Row = tuple[str, str, str]
"""(prompt, chosen, rejected)."""


def texts_of(
    rows: Sequence[Row], authors: Sequence[tuple[str, str]] | None = None, labels: Labels | None = None
) -> Texts:
    """In the order of the rows, from source ``mine``."""
    messages = {prompt: [{"role": "user", "content": prompt}] for prompt, _, _ in rows}
    order = {prompt: at for at, prompt in enumerate(messages)}
    frame = pd.DataFrame(
        [
            {
                "prompt_id": (of := prompt_id(messages[prompt])),
                "chosen_id": response_id(of, chosen),
                "rejected_id": response_id(of, rejected),
                "chosen": chosen,
                "rejected": rejected,
                "source": "mine",
                "prompt": order[prompt],
            }
            for prompt, chosen, rejected in rows
        ]
    )
    frame["chosen_author"], frame["rejected_author"] = zip(*(authors or [("", "")] * len(rows)), strict=True)
    return Texts(frame, list(messages.values()), labels)


def labels_of(
    rows: Sequence[Row], scores: Sequence[tuple[float, float]] | None = None, card: dict | None = None
) -> Labels:
    """A source ``mine`` whose every row is a pair, apart from those that the card says were dropped."""
    frame = texts_of(rows).pairs[["prompt_id", "chosen_id", "rejected_id"]].assign(source="mine", row=range(len(rows)))
    frame["chosen_score"], frame["rejected_score"] = zip(*(scores or [(None, None)] * len(rows)), strict=True)
    found = {"rows_read": len(rows), "pairs": len(rows), "dropped": {}, "dropped_rows": {}}
    return Labels(frame, {"mine": found | (card or {})})
