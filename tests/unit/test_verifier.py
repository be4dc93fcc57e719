"""The verifier of final answers, on both layouts of solutions that it knows."""

import json

import pytest

from scripts.lib.config.scorers import VerifierScorer
from scripts.lib.errors import InputError
from scripts.lib.rewards import scorer_of
from scripts.lib.verifier import final_part

ROWS = [
    {"problem": "What is half of one?", "solution": r"Half of $1$ is $\boxed{\frac{1}{2}}$."},
    {"problem": "How many eggs?", "solution": "16 - 3 = <<16-3=13>>13, times 100.\n#### 1,300"},
]


def verifier(tmp_path, rows=ROWS):
    path = tmp_path / "solutions.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return scorer_of(VerifierScorer(kind="verifier", solutions=[{"path": str(path)}]))


@pytest.mark.parametrize(
    ("problem", "response", "score"),
    [
        (ROWS[0]["problem"], r"So it is $\boxed{0.5}$.", 1.0),
        (ROWS[0]["problem"], "The answer is 1/2.", 1.0),
        (ROWS[0]["problem"], r"The first thought is $\frac{1}{2}$, but it is $\boxed{2}$.", 0.0),
        (ROWS[1]["problem"], "She makes $1300 a day.", 1.0),
        (ROWS[1]["problem"], "13", 0.0),
        (ROWS[1]["problem"], "", 0.0),
        ("Another problem?", "13", None),
    ],
)
def test_the_final_answer_counts_and_nothing_else(tmp_path, problem, response, score) -> None:
    assert verifier(tmp_path).score([([{"role": "user", "content": problem}], response)]) == [score]


def test_a_solution_verifies_itself(tmp_path) -> None:
    items = [([{"role": "user", "content": row["problem"]}], row["solution"]) for row in ROWS]
    assert verifier(tmp_path).score(items) == [1.0, 1.0]


def test_the_mark_of_gsm8k_ends_the_working() -> None:
    assert final_part("1 + 1 = 2\n#### 2") == "2" and final_part("It is 2.") == "It is 2."


def test_files_that_hold_no_solutions_are_refused(tmp_path) -> None:
    with pytest.raises(InputError, match=r"row 1.*no text in problem or solution"):
        verifier(tmp_path, [ROWS[0], {"problem": "x"}])
    with pytest.raises(InputError, match="holds no rows"):
        verifier(tmp_path, [])
    with pytest.raises(InputError, match="not readable"):
        scorer_of(VerifierScorer(kind="verifier", solutions=[{"path": str(tmp_path / "none.jsonl")}]))
