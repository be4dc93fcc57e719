"""Refusals, and openings that stand on one side of many pairs."""

import re
from collections import Counter

import numpy as np

from scripts.sources.near_duplicates import words
from studies.preflight.finding import Finding
from studies.preflight.shares import Limits, Share, percent, worst_first
from studies.preflight.text.texts import SIDES, Measured, Texts

HEAD = 240
"""Characters in which a refusal shows."""
_CANNOT = r"(?:can(?:no|['\u2019])t|unable|not able|won['\u2019]t)"
_DO = "help|assist|provide|fulfill?|comply|answer|support|create|generate|write|engage|discuss|do that"
REFUSAL = re.compile(
    rf"\bi['\u2019]?m (?:very |really |so )?(?:sorry|afraid)\b.{{0,60}}\b{_CANNOT}\b"
    rf"|\b(?:i|we)(?:['\u2019]?m|['\u2019]re| am| are)? (?:can(?:no|['\u2019])t|won['\u2019]t|not able to|unable to"
    rf"|not (?:comfortable|willing)|must (?:decline|refuse)) .{{0,30}}\b(?:{_DO})\b"
    rf"|\bas an? (?:ai|artificial intelligence)\b[^.]{{0,60}}\b(?:{_CANNOT}|do not|don['\u2019]t)\b"
    r"|\bi don['\u2019]t have (?:access|the ability|personal)\b",
    re.IGNORECASE | re.DOTALL,
)
"""English alone; a refusal in another language is not seen."""
OPENING = 3
"""Words of an opening."""
REFUSALS = Limits(note=0.02, warn=0.1, bad=0.3)
OPENINGS = Limits(note=0.1, warn=0.25, bad=0.5)


def measure(texts: Texts) -> Measured:
    """Columns: chosen_refuses, rejected_refuses."""
    refuses = {
        side: np.array([bool(REFUSAL.search(text[:HEAD])) for text in texts.pairs[side]], bool) for side in SIDES
    }
    openings = {side: [_opening(text) for text in texts.pairs[side]] for side in SIDES}
    return Measured(
        [_refusals(refuses["chosen"], refuses["rejected"]), _openings(openings["chosen"], openings["rejected"])],
        {f"{side}_refuses": found for side, found in refuses.items()},
    )


def _opening(text: str) -> str:
    """The first words of a response; empty if it has no more."""
    found = words(text[:HEAD])
    return " ".join(found[:OPENING]) if len(found) > OPENING else ""


def _refusals(chosen: np.ndarray, rejected: np.ndarray) -> Finding:
    share, others = Share(int(chosen.sum()), len(chosen)), Share(int(rejected.sum()), len(rejected))
    level = REFUSALS.level(share.interval[0])
    over_help = chosen & ~rejected
    only = Share(int(over_help.sum()), len(chosen))
    return Finding(
        "refusals",
        "text",
        "Do chosen responses refuse?",
        f"{share.told('chosen')} and {others.told('rejected responses')} refuse or disclaim in their first sentences "
        f"(told by English phrases); only the chosen one does in {only.told('pairs')}.",
        **share.numbers(),
        level=level,
        evidence="Röttger et al. 2024 (XSTest, arXiv 2308.01263): policies refuse what resembles a refused prompt.",
        remedy="Read the examples: keep refusals of what must be refused, drop the others." if level != "good" else "",
        pairs=worst_first(np.flatnonzero(over_help if over_help.any() else chosen)),
    )


def _openings(chosen: list[str], rejected: list[str]) -> Finding:
    """The opening whose shares on the two sides differ most."""
    ours, theirs = Counter(each for each in chosen if each), Counter(each for each in rejected if each)
    n = len(chosen)
    if not (ours or theirs):
        return Finding("openings", "text", _BEGIN, "No opening is shared.", unit="share", n=n)
    phrase = max(sorted({*ours, *theirs}), key=lambda each: abs(ours[each] - theirs[each]))
    gap = abs(ours[phrase] - theirs[phrase])
    share = Share(gap, n)
    level = OPENINGS.level(share.interval[0])
    rows = [
        at
        for at, sides in enumerate(zip(chosen, rejected, strict=True))
        if (sides[0] == phrase) != (sides[1] == phrase)
    ]
    return Finding(
        "openings",
        "text",
        _BEGIN,
        f"The most telling opening, “{phrase}”, begins {percent(ours[phrase] / n)} of the chosen and "
        f"{percent(theirs[phrase] / n)} of the rejected responses.",
        **share.numbers(),
        level=level,
        evidence="What tells the sides apart without reading on is what is learnt first.",
        remedy="Remove the phrase from the side that has it, or from both." if level in ("warn", "bad") else "",
        pairs=worst_first(rows),
    )


_BEGIN = "Do the two sides begin differently?"
