"""Asking an LLM that costs money: estimates the cost, then asks once for each row that has no stored answer.

Input tokens are estimated at BYTES_A_TOKEN bytes of UTF-8 each; every answer is counted at its maximum length. The
endpoint's own count may differ.
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from scripts.lib.answers import Answers, Row
from scripts.lib.config.endpoints import Paid
from scripts.lib.errors import InputError
from scripts.lib.keys import without_secrets

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

BYTES_A_TOKEN = 4
"""About right for English text; other scripts have fewer bytes per token and cost more than estimated."""


@dataclass(frozen=True)
class Llm(Generic[Answer]):
    """An LLM and what it is asked.

    identity: all that determines an answer. template: the prompt, without a row's texts. max_tokens: of an answer.
    connect: returns the function that asks about one row, which several threads may call; any exception of it means
    that there was no answer. Nothing is sent, and no key is needed, before it.
    """

    identity: dict[str, Any]
    template: str
    max_tokens: int
    connect: Callable[[], Callable[[Row], Answer]]


@dataclass(frozen=True)
class Estimate:
    """What answers about some rows take. cost: None without prices."""

    rows: int
    repeated: int
    known: int
    to_ask: int
    input_tokens: int
    output_tokens: int
    cost: float | None

    def __str__(self) -> str:
        requests = (
            f"{self.rows} answers: {self.repeated} repeated, {self.known} known, {self.to_ask} to ask, "
            f"about {self.input_tokens} input and at most {self.output_tokens} output tokens"
        )
        return f"{requests}, {in_currency(self.cost)}"


def in_currency(cost: float | None) -> str:
    """A cost in words."""
    return "no prices" if cost is None else f"about {cost:.4f} in the prices' currency"


def unasked(rows: Sequence[Row], answers: Answers[Answer], known: Mapping[str, Answer]) -> list[Row]:
    """The rows that still have to be asked about, each once."""
    return [row for row in dict.fromkeys(rows) if answers.key(row) not in known]


def estimate(
    spec: Paid, llm: Llm[Answer], rows: Sequence[Row], answers: Answers[Answer], known: Mapping[str, Answer]
) -> Estimate:
    """What the answers about these rows will take, given those already known."""
    distinct = set(rows)
    asked = unasked(rows, answers, known)
    size = sum(len(text.encode("utf-8")) for row in asked for text in (llm.template, *row))
    tokens = -(-size // BYTES_A_TOKEN)
    longest = len(asked) * llm.max_tokens
    return Estimate(
        rows=len(rows),
        repeated=len(rows) - len(distinct),
        known=len(distinct) - len(asked),
        to_ask=len(asked),
        input_tokens=tokens,
        output_tokens=longest,
        cost=(
            None
            if spec.input_price is None or spec.output_price is None
            else (tokens * spec.input_price + longest * spec.output_price) / 1e6
        ),
    )


def estimates(
    spec: Paid, llm: Llm[Answer], rows_of_each: Mapping[str, Sequence[Row]], answers: Answers[Answer]
) -> dict[str, Estimate]:
    """The estimate for each list of rows, given that those before it have been asked about."""
    known = dict.fromkeys(answers.read())
    found = {}
    for name, rows in rows_of_each.items():
        found[name] = estimate(spec, llm, rows, answers, known)
        known |= {answers.key(row): None for row in rows}
    return found


def table_of(found: Mapping[str, Estimate]) -> str:
    """Estimates as lines of text, and one for all of them."""
    costs = [each.cost for each in found.values() if each.cost is not None]
    total = in_currency(sum(costs) if costs else None)
    lines = [f"{name}: {each}" for name, each in found.items()]
    return "\n".join([*lines, f"in all: {sum(each.to_ask for each in found.values())} to ask, {total}"])


def asked_once(who: str, spec: Paid, llm: Llm[Answer], rows: Sequence[Row], answers: Answers[Answer]) -> list[Answer]:
    """The answers about the rows, in their order. who: asks, in logs and errors.

    The estimate is logged first. Raises InputError if it exceeds the budget, or if a row gets no answer: then no more
    are sent, and every answer that arrived is kept.
    """
    with answers.alone() as ledger:
        known = answers.read()
        expected = estimate(spec, llm, rows, answers, known)
        log.info("%s: %s", who, expected)
        if spec.budget is not None and expected.cost is not None and expected.cost > spec.budget:
            raise InputError(
                who,
                f"the estimate of {expected.cost:.4f} is over the budget of {spec.budget:g}; nothing was asked",
                "raise its budget, or ask less (a suite's limit)",
            )
        if asked := unasked(rows, answers, known):
            for row, answer in _answers(who, llm.connect(), asked, spec.concurrency):
                ledger.add(row, answer)
                known[answers.key(row)] = answer
    return [known[answers.key(row)] for row in rows]


def _answers(
    who: str, ask: Callable[[Row], Answer], rows: Sequence[Row], concurrency: int
) -> Iterator[tuple[Row, Answer]]:
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
            f"{who}, {row[0][:60]!r}",
            f"no answer ({told[:300]})",
            "see to the key and the address; what was answered is kept, so run it again",
        ) from None


def filled(template: str, texts: Mapping[str, str]) -> str:
    """A template with a text in place of each ``{name}``. What looks like a field in a text is left as it is."""
    fields = "|".join(map(re.escape, texts))
    return re.sub(rf"\{{({fields})\}}", lambda field: texts[field[1]], template)
