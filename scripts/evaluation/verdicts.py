"""Verdicts of LLM judges: each pair is asked about once, and its verdict stored. Equal outputs are a draw, unasked."""

import io
import logging
from collections.abc import Sequence
from contextlib import redirect_stderr
from typing import Any

from scripts.lib.answers import Answers
from scripts.lib.asking import Llm, asked_once
from scripts.lib.config.endpoints import Paid

log = logging.getLogger(__name__)

Row = tuple[str, str, str]
"""(instruction, first output, second output)."""
LlmJudge = Llm[float | None]
"""It answers with the preference for the second output, in [1, 2]; None if it chose neither."""
DRAW = 1.5


class Verdicts(Answers[float | None]):
    """The verdicts of one judge: the preference for the second output, in [1, 2]; None if it chose neither."""

    field = "preference"

    @staticmethod
    def is_answer(value: Any) -> bool:
        return value is None or 1.0 <= value <= 2.0


def pairs_of(rows: Sequence[Row]) -> list[Row]:
    """The rows that are no draws."""
    return [row for row in rows if row[1] != row[2]]


def judged_once(spec: Paid, judge: LlmJudge, rows: Sequence[Row], verdicts: Verdicts) -> list[float | None]:
    """The preferences of the rows, in their order; None if the judge chose neither output.

    Raises InputError as :func:`scripts.lib.asking.asked_once` does.
    """
    pairs = pairs_of(rows)
    log.info("judge: %d pairs, %d of them draws", len(rows), len(rows) - len(pairs))
    with redirect_stderr(io.StringIO()):  # progress bars; the log has its own stream
        found = iter(asked_once("judge", spec, judge, pairs, verdicts))
    return [DRAW if row[1] == row[2] else next(found) for row in rows]
