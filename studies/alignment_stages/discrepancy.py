"""Delta: how much more effective off-policy data is than on-policy data from one initial policy. Pure.

Delta is the increase with off-policy data over the increase with on-policy data, both of the length-controlled win rate
over that of the initial policy ("Is On-Policy Data Always the Best Choice for DPO-based LM Alignment?", Table 1).
"""

import math
from collections.abc import Callable

LEAST = 0.01
"""Below it the paper writes <0.01."""
BOUNDARY = 0.5
"""Algorithm 1: below it off-policy data, from it on on-policy data."""


def delta(off: float, on: float) -> float | None:
    """The ratio of two increases in points, with the paper's conventions.

    Infinite where on-policy data alone brings a drop, or nothing. None where both do: the paper gives no ratio of
    drops. Where off-policy data alone does, which no table of the paper shows, 0: its Delta is below every other.
    """
    if on <= 0:
        return math.inf if off > 0 else None
    return max(off, 0.0) / on


def written(ratio: float | None) -> str:
    """As in the paper's tables: two decimals, +inf, <0.01, or a dash for no ratio."""
    if ratio is None:
        return "-"
    return "+inf" if math.isinf(ratio) else "<0.01" if ratio < LEAST else f"{ratio:.2f}"


def says_off(score: float) -> bool:
    """Whether a boundary score (0 to 1) recommends off-policy data."""
    return score < BOUNDARY


def is_hit(score: float, off: float, on: float) -> bool | None:
    """Whether the data that a boundary score recommends brought the larger increase; None if both brought the same."""
    return None if off == on else says_off(score) == (off > on)


SCORE = "boundary score"
PREDICTORS: dict[str, Callable[[float], float]] = {
    SCORE: lambda score: score,
    "always off-policy": lambda score: 0.0,
    "always on-policy": lambda score: 1.0,
}
"""Name -> the score by which it predicts, from the boundary score."""
