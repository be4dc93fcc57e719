"""What max_length does to the datasets of runs, told before anything is trained (the page tells it afterwards).

Counted as exactly as is cheap: from the card of a run that has been trained; else by bytes, over the pairs if they have
been made, or over all responses that they will be made from. Tokens are UTF-8 bytes / 4, as in the plan.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from scripts.lib.config.base import Spec
from scripts.lib.config.policies import Truncation
from scripts.lib.schemas import PAIRS, RESPONSES
from scripts.lib.tables import read_json, read_table

BYTES_A_TOKEN = 4
COLUMNS = ["pairs", "policy", "max_length", "truncation", "responses", "longer", "pairs_left_cut", "pairs_left_drop"]
COLUMNS += ["counted"]
TO_COME = "sample sets to come"
LEGEND = """longer: responses beyond max_length with their prompt. pairs left: with truncation cut, which drops pairs
that are equal after the cut, and with drop. "by bytes" is an estimate (tokens = bytes / 4); runs count the tokens.
"""


class Cut(Spec):
    """Pairs that a policy, or runs from it, learn from within one length.

    pairs: the pairs table. families: of prompt sets, behind the pairs. sampled: the responses tables of sample sets
    behind them. cards: of the runs, one list for each draw of the pairs.
    """

    pairs: str
    policy: str
    max_length: int
    truncation: Truncation
    families: list[str]
    sampled: list[str]
    cards: list[list[str]]


def effect(cut: Cut, prompts: Mapping[str, int], responses: pd.DataFrame) -> dict[str, object]:
    """A row of COLUMNS. prompts: id -> bytes. responses: rows of RESPONSES, all that prompt sets have.

    ``counted`` says how, and what is yet unknown; the pairs left are None until the pairs are made.
    """
    found = {"pairs": Path(cut.pairs).stem, **cut.model_dump(include={"policy", "max_length", "truncation"})}
    trained = [[path for path in map(Path, draw) if path.exists()] for draw in cut.cards]
    if all(trained):
        return found | _by_cards([draw[0] for draw in trained])
    made = [Path(path) for path in cut.sampled if Path(path).exists()]
    known = pd.concat([responses[responses["family"].isin(cut.families)], *(read_table(p, RESPONSES) for p in made)])
    room = cut.max_length * BYTES_A_TOKEN
    if Path(cut.pairs).exists() and (counts := _by_pairs(read_table(cut.pairs, PAIRS), prompts, known, room)):
        return found | counts
    size = known["response"].map(lambda text: len(text.encode())) + known["prompt_id"].map(prompts)
    to_come = f", {TO_COME}: {len(cut.sampled) - len(made)}" if len(made) < len(cut.sampled) else ""
    return found | {
        "responses": len(known),
        "longer": int((size > room).sum()),
        "pairs_left_cut": None,
        "pairs_left_drop": None,
        "counted": f"by bytes, before pairing{to_come}",
    }


def _by_cards(paths: Sequence[Path]) -> dict[str, object]:
    cards = [read_json(path)["truncation"] for path in paths]
    return {
        "responses": sum(2 * card["pairs"] for card in cards),
        "longer": sum(card["chosen_longer"] + card["rejected_longer"] for card in cards),
        "pairs_left_cut": sum(card["pairs_left"]["cut"] for card in cards),
        "pairs_left_drop": sum(card["pairs_left"]["drop"] for card in cards),
        "counted": "in tokens, by a run",
    }


def _by_pairs(
    pairs: pd.DataFrame, prompts: Mapping[str, int], responses: pd.DataFrame, room: int
) -> dict[str, object] | None:
    """None if the pairs are of other prompts or responses, and are to be made again."""
    texts = {key: text.encode() for key, text in zip(responses["response_id"], responses["response"], strict=True)}
    if (
        not set(pairs["prompt_id"]) <= prompts.keys()
        or not {*pairs["chosen_id"], *pairs["rejected_id"]} <= texts.keys()
    ):
        return None
    longer, cut, drop = 0, 0, 0
    for of, *both in zip(pairs["prompt_id"], pairs["chosen_id"], pairs["rejected_id"], strict=True):
        left = room - prompts[of]
        chosen, rejected = (texts[each] for each in both)
        beyond = (len(chosen) > left) + (len(rejected) > left)
        longer += beyond
        kept = left > 0 and chosen[:left] != rejected[:left]
        cut += kept
        drop += kept and not beyond
    return {
        "responses": 2 * len(pairs),
        "longer": longer,
        "pairs_left_cut": cut,
        "pairs_left_drop": drop,
        "counted": "by bytes",
    }
