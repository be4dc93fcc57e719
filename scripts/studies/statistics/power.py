"""The smallest effect that a claim could have decided with probability POWER: half an interval, and a likely error."""

from collections.abc import Sequence

import numpy as np

from scripts.studies.statistics.estimates import Estimate

POWER = 0.80


def smallest_increase(parts: Sequence[Estimate]) -> float:
    """The smallest true value, of all parts alike, at which all are found to be above zero.

    Of one part, (t[1 - TAIL] + z[POWER]) standard errors: half the width of its interval, and an error to the wrong
    side that is exceeded with probability 1 - POWER.
    """
    needed = [part.value - part.low() - part.errors for part in parts]
    return float(np.quantile(np.max(needed, axis=0), POWER))


def smallest_margin(parts: Sequence[Estimate], scales: Sequence[float] | None = None) -> float:
    """The smallest margin within which all parts would be found if they were truly zero; in units of ``scales``.

    Of one part, (t[1 - TAIL] + z[1 - (1 - POWER) / 2]) standard errors: an error to either side is one too many.
    """
    needed = []
    for part, scale in zip(parts, scales or [1.0] * len(parts), strict=True):
        reach = max(part.high() - part.value, part.value - part.low())
        needed.append((reach + np.abs(part.errors)) / scale)
    return float(np.quantile(np.max(needed, axis=0), POWER))
