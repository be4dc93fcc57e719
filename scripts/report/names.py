"""The order of pairs datasets, and of runs on them, in figures."""

from typing import TypeVar

from scripts.lib.names import PairsName
from scripts.lib.vocabulary import TIERS

Content = TypeVar("Content")
_RISING = (*reversed(TIERS), "")


def rank(name: PairsName) -> tuple[bool, int, int]:
    """Table 1's order: the best chosen first, and for each the rejected from the worst up; then gaps, then mixtures."""
    chosen = TIERS.index(name.chosen) if name.chosen in TIERS else len(TIERS)
    rejected = _RISING.index(name.rejected) if name.rejected in TIERS else len(TIERS)
    return bool(name.on_policy), chosen, rejected


def in_order(named: list[tuple[PairsName, Content]]) -> list[tuple[PairsName, Content]]:
    """By dataset, in order of first appearance, and within one in Table 1's order."""
    datasets = list(dict.fromkeys(name.dataset for name, _ in named))
    return sorted(named, key=lambda each: (datasets.index(each[0].dataset), rank(each[0])))
