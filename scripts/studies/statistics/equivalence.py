"""Is a statistic negligible: within a margin on either side of zero; are all of several.

An interval too wide to tell is undecided, never a confirmation; an interval that reaches beyond the margin is not yet
beyond it. A margin that is itself measured has draws of its own: statistic and margin are compared draw by draw.
"""

from collections.abc import Sequence

import numpy as np

from scripts.studies.statistics.estimates import TAIL, Estimate, share
from scripts.studies.statistics.power import smallest_margin
from scripts.studies.verdicts import Judged, is_within


def fixed(margin: float, like: Estimate) -> Estimate:
    """A margin that is known."""
    return Estimate(margin, np.full(like.drawn.shape, margin), np.full(like.repeated.shape, margin))


def negligible(statistic: Estimate, margin: Estimate) -> Judged:
    """Value and interval are the statistic's own; the verdict is on its share of the margin."""
    of_margin = statistic.over(margin)
    above, below = share(of_margin.drawn >= 1), share(of_margin.drawn <= -1)
    inside = max(above, below)
    beyond = min(share(of_margin.drawn <= 1), share(of_margin.drawn >= -1))
    return Judged(
        statistic.value,
        statistic.low(),
        statistic.high(),
        smallest_margin([statistic]),
        is_within((of_margin.low(), of_margin.high()), 1.0),
        min(1.0, 2 * min(inside, beyond)),
    )


def all_negligible(parts: Sequence[Estimate], margins: Sequence[Estimate]) -> Judged:
    """By the largest of their sizes, each as a share of its margin, which has this interval.

    Its upper end is the farthest of the parts' own. Its lower end, the farthest near end, is at TAIL over their number:
    any of them may seem beyond its margin by chance.
    """
    shares = [part.over(margin) for part, margin in zip(parts, margins, strict=True)]
    each = TAIL / len(shares)
    low = max(0.0, *(max(part.low(each), -part.high(each)) for part in shares))
    high = max(max(part.high(), -part.low()) for part in shares)
    value = max(abs(part.value) for part in shares)
    smallest = smallest_margin(parts, [margin.value for margin in margins])
    return Judged(value, low, high, smallest, is_within((low, high), 1.0))
