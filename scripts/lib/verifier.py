"""Verifies final answers of mathematical problems against the solutions that came with them, by math-verify.

The final answer of a text is what stands after ``####`` on its last line (GSM8K), or what math-verify finds: the last
box (MATH), what follows words like "the answer is", or the last formula or number.

math-verify's own time limits are of elapsed time: on a busy machine it calls right answers wrong. Here the limit is of
CPU time.
"""

import logging
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from scripts.lib.config.scorers import VerifierScorer
from scripts.lib.ids import Messages
from scripts.lib.solutions import Solved

log = logging.getLogger(__name__)

MARK = "####"
LIMIT = 10.0
"""Seconds of CPU time for one verdict. Nearly all take milliseconds; a tower of powers would take for ever."""


class OutOfTime(BaseException):
    """No Exception: math-verify goes on after those."""


class Verifier:
    """1 for a response whose final answer is that of the prompt's solution, else 0; None without a solution.

    A verdict that takes longer than LIMIT is 0, and the log counts them.
    """

    threads = None

    def __init__(self, spec: VerifierScorer) -> None:
        self.solved = Solved(spec.solutions)

    def score(self, items: Sequence[tuple[Messages, str]]) -> list[float | None]:
        logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns that its own time limits are off
        late = 0
        scores: list[float | None] = []
        for prompt, response in items:
            solution = self.solved.solution_of(prompt)
            try:
                scores.append(None if solution is None else float(agree(solution, response)))
            except OutOfTime:
                late += 1
                scores.append(0.0)
        log.info("%d verdicts given up after %g s, and scored 0", late, LIMIT)
        return scores


def agree(solution: str, response: str) -> bool:
    """Whether the final answers are the same. Raises OutOfTime; only for the main thread."""
    from math_verify import verify  # sympy takes a second to import

    with at_most(LIMIT):
        return verify(_parsed(final_part(solution)), _parsed(final_part(response)), timeout_seconds=None)


@lru_cache(maxsize=256)
def _parsed(text: str) -> list[Any]:
    from math_verify import parse

    return parse(text, parsing_timeout=None)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise OutOfTime once the block has taken so much of the process's CPU time."""

    def end(_signal: int, _frame: Any) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, before)


def final_part(text: str) -> str:
    """The part of a text that holds its final answer."""
    last = text.strip().rpartition("\n")[2]
    return last.removeprefix(MARK).strip() if last.startswith(MARK) else text
