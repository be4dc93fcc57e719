"""Asking an LLM judge: estimates the cost, then asks once for each pair that has no stored verdict.

Input tokens are estimated at BYTES_A_TOKEN bytes of UTF-8 each; every answer is counted at its maximum length. The
endpoint's own count may differ.
"""

import io
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import redirect_stderr
from dataclasses import dataclass

from scripts.evaluation.llm_judges import Ask, LlmJudge
from scripts.evaluation.verdicts import Row, Verdicts
from scripts.lib.config.evaluation import PaidJudge
from scripts.lib.errors import InputError
from scripts.lib.keys import without_secrets

log = logging.getLogger(__name__)

BYTES_A_TOKEN = 4
"""About right for English text; other scripts have fewer bytes per token and cost more than estimated."""


@dataclass(frozen=True)
class Estimate:
    """What judging some rows takes. draws: equal outputs, which are never sent; cost: None without prices."""

    rows: int
    draws: int
    repeated: int
    known: int
    to_ask: int
    input_tokens: int
    output_tokens: int
    cost: float | None

    def __str__(self) -> str:
        pairs = (
            f"{self.rows} pairs: {self.draws} draws, {self.repeated} repeated, {self.known} judged before, "
            f"{self.to_ask} to ask, about {self.input_tokens} input and at most {self.output_tokens} output tokens"
        )
        return f"{pairs}, no prices" if self.cost is None else f"{pairs}, about {self.cost:.4f} in the prices' currency"


def unjudged(rows: Sequence[Row], verdicts: Verdicts, known: dict[str, float | None]) -> list[Row]:
    """The pairs that still have to be asked about, each once."""
    return [row for row in dict.fromkeys(rows) if row[1] != row[2] and verdicts.key(row) not in known]


def estimate(
    spec: PaidJudge, judge: LlmJudge, rows: Sequence[Row], verdicts: Verdicts, known: dict[str, float | None]
) -> Estimate:
    """What judging these rows will take, given the verdicts already known."""
    pairs = [row for row in rows if row[1] != row[2]]
    distinct = set(pairs)
    asked = unjudged(rows, verdicts, known)
    size = sum(len(text.encode("utf-8")) for row in asked for text in (judge.template, *row))
    tokens = -(-size // BYTES_A_TOKEN)
    answers = len(asked) * judge.max_tokens
    return Estimate(
        rows=len(rows),
        draws=len(rows) - len(pairs),
        repeated=len(pairs) - len(distinct),
        known=len(distinct) - len(asked),
        to_ask=len(asked),
        input_tokens=tokens,
        output_tokens=answers,
        cost=(
            None
            if spec.input_price is None or spec.output_price is None
            else (tokens * spec.input_price + answers * spec.output_price) / 1e6
        ),
    )


def judged_once(spec: PaidJudge, judge: LlmJudge, rows: Sequence[Row], verdicts: Verdicts) -> list[float | None]:
    """The preferences of the rows, in their order; None if the judge chose neither output.

    The estimate is logged first. Raises InputError if it exceeds the budget, or if a pair gets no answer: then no more
    pairs are sent, and every answer that arrived is kept.
    """
    with verdicts.alone() as ledger:
        known = verdicts.read()
        expected = estimate(spec, judge, rows, verdicts, known)
        log.info("judge: %s", expected)
        if spec.budget is not None and expected.cost is not None and expected.cost > spec.budget:
            raise InputError(
                "judge",
                f"the estimate of {expected.cost:.4f} is over the budget of {spec.budget:g}; nothing was asked",
                "raise the judge's budget, or judge less (the suite's limit)",
            )
        if asked := unjudged(rows, verdicts, known):
            with redirect_stderr(io.StringIO()):  # progress bars; the log has its own stream
                for row, preference in _answers(judge.connect(), asked, spec.concurrency):
                    ledger.add(row, preference)
                    known[verdicts.key(row)] = preference
    return [1.5 if row[1] == row[2] else known[verdicts.key(row)] for row in rows]


def _answers(ask: Ask, rows: Sequence[Row], concurrency: int) -> Iterator[tuple[Row, float | None]]:
    """Each row with its answer, as it arrives. After a failure no more are sent; raises InputError at the end."""
    waiting = iter(rows)
    failures: list[tuple[Row, BaseException]] = []
    with ThreadPoolExecutor(concurrency) as pool:
        running: dict[Future, Row] = {}
        while True:
            while not failures and len(running) < concurrency and (row := next(waiting, None)) is not None:
                running[pool.submit(ask, row)] = row
            if not running:
                break
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                row = running.pop(done)
                if error := done.exception():
                    failures.append((row, error))
                else:
                    yield row, done.result()
    if failures:
        row, error = failures[0]
        if isinstance(error, InputError):
            raise error
        told = without_secrets(f"{type(error).__name__}: {error}")
        raise InputError(
            f"judge, instruction {row[0][:60]!r}",
            f"no answer ({told[:300]})",
            "see to the key and the address; what was judged is kept, so run it again",
        ) from None
