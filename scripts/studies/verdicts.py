"""The rules of judgement: how a verdict follows from an interval, the same for every claim.

- Verdicts follow from 95 % intervals over seeds and questions. Nothing is corrected for multiple claims: with many
  rows, a few verdicts are wrong by chance, and the reader sees all rows.
- The intervals are for one draw of the data and one base policy: another draw can move a claim further.
- With one seed the interval does not include training noise: the verdict is `undecided`, whatever the numbers.
- A claim with parts (`x.data` has parts `x.data.benchmark`) holds if all its parts hold and fails if one fails.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from scripts.lib.claims import Interval, Verdict

MINIMUM_SEEDS = 2


def is_positive(ci: Interval, n_seeds: int) -> Verdict:
    """Holds if the interval lies above zero, fails if no part of it does."""
    if n_seeds < MINIMUM_SEEDS:
        return "undecided"
    return "holds" if ci[0] > 0 else "fails" if ci[1] <= 0 else "undecided"


def is_negligible(ci: Interval, margin: float, n_seeds: int) -> Verdict:
    """Equivalence to zero: holds if the interval lies within the margin on both sides.

    Fails if the interval excludes zero and extends beyond the margin: there is an effect, and it is not shown to be
    small. An interval too wide to tell is `undecided`, never a confirmation.
    """
    if n_seeds < MINIMUM_SEEDS:
        return "undecided"
    if max(abs(ci[0]), abs(ci[1])) < margin:
        return "holds"
    return "fails" if ci[0] > 0 or ci[1] < 0 else "undecided"


def all_of(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of a claim with parts."""
    found = set(verdicts)
    return "fails" if "fails" in found else "undecided" if "undecided" in found else "holds"


def largest_share(intervals: Sequence[Interval], margins: np.ndarray) -> Interval:
    """The largest distances from zero, of near ends and of far ends of the intervals, as shares of their margins."""
    near = [max(low, -high, 0.0) / margin for (low, high), margin in zip(intervals, margins, strict=True)]
    far = [max(abs(low), abs(high)) / margin for (low, high), margin in zip(intervals, margins, strict=True)]
    return float(max(near)), float(max(far))
