"""The verifier on GSM8K and MATH, in gsm8k/ and math/ of the folder given by --data (docs/solutions.md)."""

import json
import random
from pathlib import Path

import pytest

from scripts.lib.config.scorers import VerifierScorer
from scripts.lib.rewards import scorer_of
from scripts.lib.verifier import final_part
from tests.scoring_data import user

pytestmark = pytest.mark.slow


def rows_of(path: Path) -> list[dict]:
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return [json.loads(line) for line in path.read_text().splitlines()]


def verified(path: Path, pairs: list[tuple[str, str]], **columns: str) -> list[float | None]:
    """The scores of (problem, response) pairs against the solutions in a file."""
    scorer = scorer_of(VerifierScorer(kind="verifier", solutions=[{"path": str(path), **columns}]))
    return scorer.score([(user(problem), response) for problem, response in pairs])


def test_models_solutions_of_gsm8k_are_judged_as_their_authors_judged_them(real_data) -> None:
    rows = rows_of(real_data / "gsm8k/example_model_solutions.jsonl")
    models = [name for name in rows[0] if name not in ("question", "ground_truth")]
    asked = [(row["question"], row[model]["solution"]) for row in rows for model in models]
    labels = [float(row[model]["is_correct"]) for row in rows for model in models]
    columns = {"prompt": "question", "solution": "answer"}
    assert len(labels) == 4 * 1319 and verified(real_data / "gsm8k/test.jsonl", asked, **columns) == labels


@pytest.mark.parametrize("split", ["test", "train"])
def test_an_answer_of_gsm8k_is_its_own_and_not_another_s(real_data, split) -> None:
    path = real_data / f"gsm8k/{split}.jsonl"
    rows = rows_of(path)
    columns = {"prompt": "question", "solution": "answer"}
    own = [(row["question"], row["answer"]) for row in rows]
    assert set(verified(path, own, **columns)) == {1.0}
    others = [rows[at - 1]["answer"] for at in range(len(rows))]
    number = [float(final_part(row["answer"]).replace(",", "")) for row in rows]
    same = [float(number[at] == number[at - 1]) for at in range(len(rows))]
    found = verified(path, [(row["question"], other) for row, other in zip(rows, others, strict=True)], **columns)
    assert found == same and 0 < sum(same) < 0.02 * len(rows)


ALIKE = {
    (r"\frac12", r"\frac{1}{2}"),
    ("0", "b=0"),
    (r"12\text{ square units}", "12"),
    ("5", r"5\text{ digits}"),
}
"""Boxes that differ by their letters and not by their values, of the pairs below."""


def box(solution: str) -> str:
    """The content of the last box."""
    begin = solution.rindex(r"\boxed{") + len(r"\boxed{")
    depth = 1
    for at in range(begin, len(solution)):
        depth += {"{": 1, "}": -1}.get(solution[at], 0)
        if not depth:
            return solution[begin:at].strip()
    raise ValueError(solution)


def test_a_solution_of_math_is_its_own_and_not_another_s(real_data) -> None:
    path = real_data / "math/problems.jsonl"
    rows = rows_of(path)
    own = [(row["problem"], row["solution"]) for row in rows]
    assert set(verified(path, own)) == {1.0}
    others = list(rows)
    random.Random(0).shuffle(others)
    found = verified(path, [(row["problem"], other["solution"]) for row, other in zip(rows, others, strict=True)])
    boxes = [(box(row["solution"]), box(other["solution"])) for row, other in zip(rows, others, strict=True)]
    assert all(score for score, (mine, theirs) in zip(found, boxes, strict=True) if mine == theirs)
    assert {pair for score, pair in zip(found, boxes, strict=True) if score and len(set(pair)) == 2} <= ALIKE
    assert sum(found) < 0.02 * len(found)
