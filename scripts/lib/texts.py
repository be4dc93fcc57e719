"""Looks up the texts of ids: those of a family's responses, and those of pairs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from scripts.lib.errors import InputError
from scripts.lib.ids import Messages
from scripts.lib.schemas import PAIRS, PROMPTS, RESPONSES
from scripts.lib.tables import read_table


@dataclass(frozen=True)
class PairTexts:
    """A row of a pairs table with its texts."""

    prompt_id: str
    chosen_id: str
    rejected_id: str
    prompt: Messages
    chosen: str
    rejected: str

    @property
    def ids(self) -> tuple[str, str, str]:
        return self.prompt_id, self.chosen_id, self.rejected_id


def texts_of_family(prompts: Path, responses: Path, family: str) -> pd.DataFrame:
    """The family's responses (response_id, prompt_id, response) with their prompt (messages), in the table's order.

    Raises InputError if there is no such family, or if a response's prompt is missing.
    """
    table = read_table(responses, RESPONSES)
    chosen = table[table["family"] == family]
    if chosen.empty:
        raise no_family(responses, family, table["family"])
    texts = _prompts([prompts])
    orphans = ~chosen["prompt_id"].isin(texts)
    if orphans.any():
        row = int(orphans[orphans].index[0])
        raise InputError(
            f"{responses}, row {row}",
            f"responds to {table['prompt_id'][row]}, which {prompts} does not have",
            "give the prompts of the same prompt set",
        )
    kept = chosen[["response_id", "prompt_id", "response"]]
    return kept.assign(prompt=[texts[each] for each in kept["prompt_id"]]).reset_index(drop=True)


def no_family(responses: Path, family: str, known: Iterable[str]) -> InputError:
    """The error to raise if a table has no response of a family."""
    names = ", ".join(sorted(set(known))) or "none"
    return InputError(responses, f"no response of family {family}", f"name one of its families: {names}")


def texts_of_pairs(pairs: Sequence[Path], prompts: Sequence[Path], responses: Sequence[Path]) -> list[PairTexts]:
    """The rows of pairs tables with their texts, in order. An id that occurs in several files is the same text.

    Raises InputError, naming the row, for an id that no table has, or a response to another prompt.
    """
    prompt_of = _prompts(prompts)
    response_of: dict[str, tuple[str, str]] = {}
    for path in responses:
        table = read_table(path, RESPONSES)
        for key, of_prompt, text in zip(table["response_id"], table["prompt_id"], table["response"], strict=True):
            response_of.setdefault(key, (of_prompt, text))
    texts: list[PairTexts] = []
    for path in pairs:
        table = read_table(path, PAIRS)
        rows = zip(table["prompt_id"], table["chosen_id"], table["rejected_id"], strict=True)
        for row, (prompt_id, *response_ids) in enumerate(rows):
            for column, response_id in zip(("chosen_id", "rejected_id"), response_ids, strict=True):
                if problem := _problem(prompt_id, response_id, prompt_of, response_of):
                    raise InputError(
                        f"{path}, row {row}, {column} {response_id}",
                        problem,
                        "give the prompts and responses that the pairs are made of",
                    )
            chosen, rejected = (response_of[each][1] for each in response_ids)
            texts.append(PairTexts(prompt_id, *response_ids, prompt_of[prompt_id], chosen, rejected))
    return texts


def _problem(prompt_id: str, response_id: str, prompts: dict, responses: dict) -> str | None:
    if response_id not in responses:
        return "is in no responses table"
    if responses[response_id][0] != prompt_id:
        return f"responds to {responses[response_id][0]}, the pair is of {prompt_id}"
    return None if prompt_id in prompts else f"prompt {prompt_id} is in no prompts table"


def _prompts(paths: Sequence[Path]) -> dict[str, Messages]:
    texts: dict[str, Messages] = {}
    for path in paths:
        table = read_table(path, PROMPTS)
        for key, prompt in zip(table["prompt_id"], table["prompt"], strict=True):
            texts.setdefault(key, prompt)
    return texts
