"""Do some slopes exceed the sizes of others, on average?"""

from collections.abc import Sequence
from itertools import product

import numpy as np

from scripts.studies.statistics.estimates import TAIL, Estimate, share
from scripts.studies.statistics.power import POWER
from scripts.studies.verdicts import Judged, is_positive

_BLOCK = 256


def exceed(first: Sequence[Estimate], second: Sequence[Estimate]) -> Judged:
    """Whether mean(first) - mean(|second|) is above zero.

    The draws of an absolute value near zero are all on one side of it, so this statistic's own draws give no interval.
    It is the smallest, over all vectors s of signs, of the linear statistics mean(first) - mean(s * second), whose
    draws do. It is above zero if all of these are, so that its lower end is the lowest of theirs. Its upper end is the
    lowest of theirs, too, each as many standard deviations up as the largest standardised error among all exceeds with
    probability TAIL. smallest: where the true second are zero, which makes all of them equal.
    """
    values = np.mean([each.value for each in first])
    drawn = np.mean([each.drawn for each in first], axis=0)[:, None]
    others = np.array([each.value for each in second])
    others_drawn = np.stack([each.drawn for each in second], axis=1)
    errors = np.mean([each.errors for each in first], axis=0)[:, None]
    others_errors = np.stack([each.errors for each in second], axis=1)
    signs = np.array(list(product((1, -1), repeat=len(second))), dtype=float) / len(second)

    lows, sizes, spreads, below = [], [], [], []
    largest = needed = np.full(len(drawn), -np.inf)
    for start in range(0, len(signs), _BLOCK):
        some = signs[start : start + _BLOCK].T
        value, draws = values - others @ some, drawn - others_drawn @ some
        low, spread = np.quantile(draws, TAIL, axis=0), draws.std(axis=0)
        spread = np.where(spread > 0, spread, np.finfo(float).tiny)
        largest = np.maximum(largest, ((draws - value) / spread).max(axis=1))
        needed = np.maximum(needed, (value - low - (errors - others_errors @ some)).max(axis=1))
        below.append(max(share(each <= 0) for each in draws.T))
        lows.append(low.min())
        sizes.append(value)
        spreads.append(spread)
    size, spread = np.concatenate(sizes), np.concatenate(spreads)
    low, high = float(min(lows)), float((size + np.quantile(largest, 1 - TAIL) * spread).min())
    p_fails = share(largest >= (-size / spread).max())
    return Judged(
        float(size.min()),
        low,
        high,
        float(np.quantile(needed, POWER)),
        is_positive((low, high)),
        min(1.0, 2 * min(max(below), p_fails)),
    )
