"""The rules of judgement: how a verdict follows from an interval, the same for every claim.

- Verdicts follow from 95 % intervals over questions, seeds and draws of the data; with one draw, they are
  for this draw.
- Holds: the whole interval is where the claim says; fails: no part of it is. Anything else is undecided.
- A claim with parts (`x.data` has parts `x.data.benchmark`) holds if all its parts hold. It fails if one is shown to
  fail with all of them counted: one part that fails by itself among many may do so by chance.
- Where nothing is repeated, with one seed and one draw, the interval does not include training noise: the verdict is
  undecided, whatever the numbers.
"""

from dataclasses import dataclass, replace

from scripts.lib.claims import Interval, Verdict

MINIMUM_REPEATS = 2
"""The fewest draws, or seeds on one draw, that show how far runs differ by chance."""


@dataclass(frozen=True)
class Judged:
    """A statistic, its interval, the smallest effect that could have been decided, and the verdict.

    p: the probability left out by the widest interval that would still decide, either way: below 1 - LEVEL if the
    verdict is decided. None for a claim over parts, which have their own.
    """

    value: float
    low: float
    high: float
    smallest: float | None
    verdict: Verdict
    p: float | None = None

    def of_runs(self, repeats: int) -> "Judged":
        """As it is, or undecided if nothing was repeated."""
        if repeats >= MINIMUM_REPEATS:
            return self
        return replace(self, smallest=None, verdict="undecided", p=None if self.p is None else 1.0)


def is_positive(ci: Interval) -> Verdict:
    """Holds if the interval lies above zero, fails if no part of it does."""
    return "holds" if ci[0] > 0 else "fails" if ci[1] <= 0 else "undecided"


def is_within(ci: Interval, margin: float) -> Verdict:
    """Holds if the interval lies within the margin on both sides of zero, fails if it lies wholly beyond it."""
    if -margin < ci[0] and ci[1] < margin:
        return "holds"
    return "fails" if ci[0] >= margin or ci[1] <= -margin else "undecided"
