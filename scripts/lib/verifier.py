"""Verifies final answers of mathematical problems against the solutions that came with them, by math-verify.

The final answer of a solution is what stands after its last ``####`` (GSM8K), or what math-verify finds: the last box
(MATH), or the last formula or number. Of a response it is what math-verify finds.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from scripts.lib.config.scorers import VerifierScorer
from scripts.lib.errors import InputError
from scripts.lib.ids import Messages, normalise

MARK = "####"


class Verifier:
    """1 for a response whose final answer is that of the prompt's solution, else 0; None without a solution."""

    threads = None

    def __init__(self, spec: VerifierScorer) -> None:
        self.solutions: dict[str, str] = {}
        for each in spec.solutions:
            for at, row in enumerate(_rows(each.path)):
                texts = [row.get(column) for column in (each.prompt, each.solution)]
                if not all(isinstance(text, str) and text.strip() for text in texts):
                    raise InputError(
                        f"{each.path}, row {at}",
                        f"no text in {each.prompt} or {each.solution}",
                        "fix the row, or name the columns under the scorer's solutions",
                    )
                self.solutions.setdefault(normalise(texts[0]), texts[1])

    def score(self, items: Sequence[tuple[Messages, str]]) -> list[float | None]:
        return [self._score(prompt, response) for prompt, response in items]

    def _score(self, prompt: Messages, response: str) -> float | None:
        from math_verify import parse, verify  # sympy takes a second to import

        solution = self.solutions.get(normalise(prompt[-1]["content"]))
        if solution is None:
            return None
        return float(verify(parse(final_part(solution)), parse(response)))


def final_part(solution: str) -> str:
    """The part of a solution that holds its final answer."""
    return solution.rpartition(MARK)[2].strip()


def _rows(path: str) -> list[dict]:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError) as error:
        raise InputError(path, f"not readable ({error})", "give a file with one JSON object a line") from error
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise InputError(path, "holds no rows", "give a file with one JSON object a line")
    return rows
