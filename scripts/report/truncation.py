"""What a cut at max_length does to the pairs of runs, from the runs' cards: for the page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.lib.lineage import Run
from scripts.lib.tables import read_json


def truncations(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """One card per dataset and length whose runs lose anything to the cut, in the order of ``paths``.

    paths: <run>.card.json. Runs that differ in their seeds alone share a card.
    """
    found: dict[tuple[str, str, int, str], dict[str, Any]] = {}
    for path in paths:
        card, run = read_json(path)["truncation"], Run.parse(path.name.removesuffix(".card.json"))
        dropped = card["dropped"][card["choice"]]
        if card["chosen_longer"] or card["rejected_longer"] or dropped:
            facts = {
                "max_length": card["max_length"],
                "truncation": card["choice"],
                "pairs": card["pairs"],
                "chosen longer": card["chosen_longer"],
                "rejected longer": card["rejected_longer"],
                **{f"left by {choice}": left for choice, left in card["pairs_left"].items()},
            }
            key = (run.start, run.pairs, card["max_length"], card["choice"])
            found[key] = {"name": f"{run.pairs}, from {run.start}", "facts": facts, "dropped": dropped}
    return list(found.values())
