"""Grades of answers: Table 4 of "3D-Properties" as rules."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.config.scorers import GradesScorer
from scripts.lib.errors import InputError
from scripts.lib.rewards import scorer_of
from scripts.lib.world.generators import respond
from scripts.lib.world.grades import grade
from scripts.lib.world.oracle import perfect
from scripts.lib.world.skills import ask, make_prompts

STORY = "tom has 4 pens , gets 5 and loses 3 . how many pens ?"
LIST = "copy this list : a b c d"
FULL = "4 plus 5 is 9 . 9 minus 3 is 6 . the answer is 6 ."


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (FULL, 5),
        (f"sure , {FULL} hope this helps .", 5),  # courtesies are not counted
        ("the answer is 6 .", 4),
        ("4 plus 5 is 9 . 6", 4),  # a step is missing
        (f"let me think . let me think . {FULL}", 4),  # eight more words
        ("4 plus 5 is 8 . 8 minus 3 is 6 . the answer is 6 .", 3),  # right, by wrong steps
        ("4 plus 5 is 9 . 9 minus 3 is 7 . the answer is 7 .", 3),  # half of the steps right
        ("4 plus 5 is 8 . 8 minus 3 is 5 . the answer is 5 .", 2),  # the first step begun
        ("5 plus 5 is 10 . the answer is 10 .", 1),
        ("the answer is 9 .", 1),
        ("no idea .", 1),
        ("", 1),
    ],
)
def test_stories(answer, expected) -> None:
    assert grade(STORY, answer) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("the list is a b c d .", 5),
        ("let me think . it is what it is . the list is a b c d .", 4),
        ("a b c", 3),
        ("a e f g", 2),
        ("e f g h", 1),
        ("sorry .", 1),
    ],
)
def test_lists(answer, expected) -> None:
    assert grade(LIST, answer) == expected


@given(st.sampled_from(["arithmetic", "copying", "reversing", "sorting"]), st.integers(0, 10_000))
def test_a_perfect_answer_has_full_marks_and_a_careless_one_never_more(skill, seed) -> None:
    prompt = ask(skill, random.Random(seed)).prompt
    assert grade(prompt, perfect(prompt)) == 5
    assert 1 <= grade(prompt, respond(prompt, 0.2, random.Random(seed))) <= 5


@given(st.integers(0, 10_000))
def test_answers_are_right_from_grade_4_on(seed) -> None:
    """A wrong final number is never a 4, and a right one without a wrong step never less."""
    task = ask("arithmetic", random.Random(seed))
    for number in range(13):
        found = grade(task.prompt, f"the answer is {number} .")
        assert (found >= 4) == (number == task.totals[-1])


def test_other_problems_are_refused() -> None:
    (form,) = make_prompts(1, 0, ("form",))
    for prompt in (form, "what is the home of the fox ?"):
        with pytest.raises(InputError):
            grade(prompt, "a b")


def test_they_are_a_scorer() -> None:
    prompt = [{"role": "user", "content": STORY}]
    assert scorer_of(GradesScorer(kind="grades")).score([(prompt, FULL), (prompt, "")]) == [5.0, 1.0]
