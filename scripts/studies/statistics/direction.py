"""Is a statistic above zero, or above a minimum effect; are all of several."""

from collections.abc import Sequence
from dataclasses import replace

from scripts.studies.statistics.estimates import TAIL, Estimate, share
from scripts.studies.statistics.power import smallest_increase
from scripts.studies.verdicts import Judged, is_positive


def positive(statistic: Estimate) -> Judged:
    """By its own interval."""
    low, high = statistic.low(), statistic.high()
    p = 2 * min(share(statistic.drawn <= 0), share(statistic.drawn > 0))
    return Judged(statistic.value, low, high, smallest_increase([statistic]), is_positive((low, high)), min(p, 1.0))


def all_positive(parts: Sequence[Estimate]) -> Judged:
    """By the smallest of them, which has this interval.

    Its lower end is the lowest of the parts' own: all hold only if each does, so that nothing needs correcting. Its
    upper end is that of the parts at TAIL over their number: any of them may be below zero by chance, and this is the
    first step of Holm's procedure, which finds that one is.
    """
    low = min(part.low() for part in parts)
    high = min(part.high(TAIL / len(parts)) for part in parts)
    value = min(part.value for part in parts)
    return Judged(value, low, high, smallest_increase(parts), is_positive((low, high)))


def exceeding(parts: Sequence[Estimate], minimum: float) -> Judged:
    """Whether all are above a minimum effect; numbers are the statistics' own, not what is left of them."""
    beyond = [Estimate(each.value - minimum, each.drawn - minimum, each.repeated - minimum) for each in parts]
    judged = positive(beyond[0]) if len(parts) == 1 else all_positive(beyond)
    smallest = None if judged.smallest is None else judged.smallest + minimum
    return replace(
        judged, value=judged.value + minimum, low=judged.low + minimum, high=judged.high + minimum, smallest=smallest
    )
