"""Problems with their solutions, from files of JSON Lines."""

import json
from collections.abc import Sequence
from pathlib import Path

from scripts.lib.config.scorers import Solutions
from scripts.lib.errors import InputError
from scripts.lib.ids import Messages, normalise


class Solved:
    """The solutions of problems, found by the text of the problem; the first file that has one counts."""

    def __init__(self, files: Sequence[Solutions]) -> None:
        self.solutions: dict[str, str] = {}
        for each in files:
            for at, row in enumerate(_rows(each.path)):
                texts = [row.get(column) for column in (each.prompt, each.solution)]
                if not all(isinstance(text, str) and text.strip() for text in texts):
                    raise InputError(
                        f"{each.path}, row {at}",
                        f"no text in {each.prompt} or {each.solution}",
                        "fix the row, or name the columns under the scorer's solutions",
                    )
                self.solutions.setdefault(normalise(texts[0]), texts[1])

    def solution_of(self, prompt: Messages) -> str | None:
        """The solution of a prompt's last turn, if there is one."""
        return self.solutions.get(normalise(prompt[-1]["content"]))


def _rows(path: str) -> list[dict]:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError) as error:
        raise InputError(path, f"not readable ({error})", "give a file with one JSON object a line") from error
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise InputError(path, "holds no rows", "give a file with one JSON object a line")
    return rows
