"""The smallest effect that a claim could have decided with probability POWER, from the draws behind its interval."""

from collections.abc import Sequence

import numpy as np

from scripts.studies.statistics.estimates import Estimate

POWER = 0.80


def smallest_increase(parts: Sequence[Estimate]) -> float:
    """The smallest true value, of all parts alike, at which all are found to be above zero.

    Of one part, (t[1 - TAIL] + t[POWER]) standard errors: half the width of its interval, and an error to the wrong
    side that is exceeded with probability 1 - POWER.
    """
    needed = [2 * part.value - part.low() - part.drawn for part in parts]
    return float(np.quantile(np.max(needed, axis=0), POWER))


def smallest_margin(parts: Sequence[Estimate], scales: Sequence[float] | None = None) -> float:
    """The smallest margin within which all parts would be found if they were truly zero; in units of ``scales``.

    Of one part, (t[1 - TAIL] + t[1 - (1 - POWER) / 2]) standard errors: an error to either side is one too many.
    """
    needed = []
    for part, scale in zip(parts, scales or [1.0] * len(parts), strict=True):
        reach = max(part.high() - part.value, part.value - part.low())
        needed.append((reach + np.abs(part.drawn - part.value)) / scale)
    return float(np.quantile(np.max(needed, axis=0), POWER))
