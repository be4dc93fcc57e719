"""The verifier of final answers, on both layouts of solutions that it knows."""

import json
import signal
import time

import pytest

from scripts.lib import verifier as verifying
from scripts.lib.config.scorers import VerifierScorer
from scripts.lib.errors import InputError
from scripts.lib.rewards import scorer_of
from scripts.lib.verifier import OutOfTime, at_most, final_part

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
        (ROWS[1]["problem"], "The answer in eggs: 13.\n#### 1300", 1.0),
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
    assert final_part("1 + 1 = 2\n#### 2\n") == "2" and final_part("It is 2.") == "It is 2."
    assert final_part("#### 1\nIt is 2.") == "#### 1\nIt is 2.", "a heading"


def test_files_that_hold_no_solutions_are_refused(tmp_path) -> None:
    with pytest.raises(InputError, match=r"row 1.*no text in problem or solution"):
        verifier(tmp_path, [ROWS[0], {"problem": "x"}])
    with pytest.raises(InputError, match="holds no rows"):
        verifier(tmp_path, [])
    with pytest.raises(InputError, match="not readable"):
        scorer_of(VerifierScorer(kind="verifier", solutions=[{"path": str(tmp_path / "none.jsonl")}]))


def test_a_verdict_has_so_much_time_of_the_processor_and_no_less_on_a_busy_machine() -> None:
    before = signal.getsignal(signal.SIGVTALRM)
    with at_most(0.05):
        time.sleep(0.1)  # another process has the processor
    with pytest.raises(OutOfTime), at_most(0.05):
        while True:
            pass
    assert signal.getsignal(signal.SIGVTALRM) is before and signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)


def test_what_takes_too_long_is_wrong_and_counted(tmp_path, monkeypatch, caplog) -> None:
    prompt, answer = [{"role": "user", "content": ROWS[1]["problem"]}], ROWS[1]["solution"]

    def agree(_solution: str, response: str) -> bool:
        if response == "slow":
            raise OutOfTime
        return True

    monkeypatch.setattr(verifying, "agree", agree)
    with caplog.at_level("INFO"):
        assert verifier(tmp_path).score([(prompt, "slow"), (prompt, answer)]) == [0.0, 1.0]
    assert "1 verdicts given up" in caplog.text
