"""Grades of answers to problems, from 1 to 5, by rule: "3D-Properties", Table 4, with its words made exact.

| grade | the final answer | the working of an arithmetic story                      | the letters of a list      |
|-------|------------------|---------------------------------------------------------|----------------------------|
| 5     | right            | all of it, no wrong step, at most SPARE more words      | at most SPARE more words   |
| 4     | right            | some or none of it, or more words; no wrong step        | more words                 |
| 3     | right            | a wrong step                                            |                            |
| 3     | wrong            | at least half of the steps right                        | at least half alike        |
| 2     | wrong            | fewer, and a step that the story asks for begun         | fewer, and some alike      |
| 1     | wrong or none    | nothing right, or no final number                       | none alike                 |
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from scripts.lib.errors import InputError
from scripts.lib.world.arithmetic import StoryTask
from scripts.lib.world.language import similarity, take_apart
from scripts.lib.world.lists import ListTask
from scripts.lib.world.skills import read
from scripts.lib.world.words import GAINS, LETTERS, NUMBERS

SPARE = 4
"""Words between opening and closing beyond the shortest full answer."""
HALF = 0.5
_STEP = re.compile(r"(\d+) (plus|minus) (\d+) is (\d+)")
_OF_STEP, _OF_SENTENCE = 6, 5
"""Words of "4 plus 2 is 6 ." and of "the answer is 6 ."."""


def grade(prompt: str, response: str) -> int:
    """The grade of a response. Raises InputError if ``prompt`` is no arithmetic story or list of the world."""
    task, words = read(prompt), take_apart(response).middle
    if isinstance(task, StoryTask):
        return _of_story(task, words)
    if isinstance(task, ListTask) and not task.constraints:
        return _of_list(task, words)
    raise InputError(
        f"prompt {prompt[:200]!r}",
        "is no arithmetic story and no list without constraints, and grades are of these only",
        "use a source of kind world with skills: [arithmetic, copying, reversing, sorting] or some of them",
    )


def _of_story(task: StoryTask, words: Sequence[str]) -> int:
    numbers = [word for word in words if word in NUMBERS]
    if not numbers:
        return 1
    wanted, shown = _working(task), _STEP.findall(" ".join(words))
    right = [step in shown for step in wanted]
    if int(numbers[-1]) != task.totals[-1]:
        if sum(right) >= HALF * len(right):
            return 3
        begun = any(each[:3] == step[:3] for each in shown for step in wanted)
        return 2 if begun or any(right) else 1
    if any(step not in wanted for step in shown):
        return 3
    is_short = len(words) <= _OF_STEP * len(wanted) + _OF_SENTENCE + SPARE
    return 5 if all(right) and is_short else 4


def _working(task: StoryTask) -> list[tuple[str, str, str, str]]:
    """The steps of a story, as the groups of _STEP."""
    return [
        (str(before), "plus" if verb in GAINS else "minus", str(amount), str(after))
        for (verb, amount), (before, after) in zip(task.steps, pairwise(task.totals), strict=True)
    ]


def _of_list(task: ListTask, words: Sequence[str]) -> int:
    letters = [word for word in words if word in LETTERS]
    if letters == list(task.wanted):
        shortest = len(task.leads[0].split()) + len(letters) + 1
        return 5 if len(words) <= shortest + SPARE else 4
    alike = similarity(letters, task.wanted)
    return 3 if alike >= HALF else 2 if alike > 0 else 1
