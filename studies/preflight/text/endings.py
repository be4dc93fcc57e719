"""Responses that were cut short: they stop in the middle, or many of them have exactly the greatest length."""

import re

import numpy as np

from studies.preflight.finding import Finding
from studies.preflight.shares import Limits, Share, worst_first
from studies.preflight.text.texts import SIDES, Measured, Texts

LEAST_WORDS = 40
"""Shorter responses may end as they like."""
TAIL = 2000
"""Characters at the end in which a list or a table shows."""
FREE = re.compile(r"(?:^|\n)[ \t]*(?:[-*\u2022|>]|\d+[.)]|#)[^\n]*$")
"""A last line that is an item of a list, a row of a table or a heading ends without a full stop."""
PILE = 0.01
"""At least this share of all responses has exactly the greatest length, ..."""
ABOVE = 4.0
"""... and this many times as many as the median of the lengths just below it, to be a pile."""
BELOW = 20
LEAST_LIMIT = 8
"""Words: no limit is as short as this, and answers of a few words often have one length."""
LIMITS = Limits(note=0.05, warn=0.15, bad=0.4)
EVIDENCE = (
    "A response without its end teaches to stop anywhere, and where the chosen ones are longer, they are the ones that "
    "are cut; samples that were cut short are marked here (finished), and learnt without an end."
)


def measure(texts: Texts) -> Measured:
    """Columns: chosen_unfinished, rejected_unfinished: seems to stop before its end."""
    sizes = {side: np.array([len(text.split()) for text in texts.pairs[side]], dtype=np.int64) for side in SIDES}
    longest = piled(np.concatenate(list(sizes.values())))
    found = {
        side: np.array(
            [
                size == longest or unfinished(text, size)
                for text, size in zip(texts.pairs[side], sizes[side], strict=True)
            ],
            bool,
        )
        for side in SIDES
    }
    return Measured([_finding(found, longest)], {f"{side}_unfinished": each for side, each in found.items()})


def unfinished(text: str, size: int) -> bool:
    """Whether a text of so many words stops in the middle: at a letter, a comma, a bracket or in a block of code."""
    if size < LEAST_WORDS:
        return False
    is_open = text[-1].isalpha() or text[-1] in ",("
    return text.count("```") % 2 == 1 or (is_open and not FREE.search(text[-TAIL:]))


def piled(sizes: np.ndarray) -> int | None:
    """The greatest length, if so many responses have exactly it that a limit must have made it so."""
    if not len(sizes):
        return None
    most = int(sizes.max())
    if most < LEAST_LIMIT or most == sizes.min():
        return None
    at = int((sizes == most).sum())
    below = np.bincount(np.minimum(sizes, most), minlength=most + 1)[max(0, most - BELOW) : most]
    usual = max(1.0, float(np.median(below))) if len(below) else 1.0
    return most if at >= max(PILE * len(sizes), ABOVE * usual) else None


def _finding(found: dict[str, np.ndarray], longest: int | None) -> Finding:
    chosen, rejected = found["chosen"], found["rejected"]
    share = Share(int(chosen.sum() + rejected.sum()), 2 * len(chosen))
    level = LIMITS.level(share.interval[0])
    pile = f" Many have exactly the greatest length, {longest:,} words: a limit cut them." if longest else ""
    return Finding(
        "cut_short",
        "text",
        "Do responses stop before their end?",
        f"{share.told('responses')} seem to: {Share(int(chosen.sum()), len(chosen)).told('chosen')}, "
        f"{Share(int(rejected.sum()), len(rejected)).told('rejected')}.{pile}",
        **share.numbers(),
        level=level,
        evidence=EVIDENCE,
        remedy="Generate again with more tokens, or drop pairs with a response that was cut."
        if level in ("warn", "bad")
        else "",
        pairs=worst_first(np.flatnonzero(chosen | rejected), (2.0 * chosen + rejected)[chosen | rejected]),
    )
