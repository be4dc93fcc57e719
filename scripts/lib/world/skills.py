"""The skills by name, and random prompts from them."""

import random
from functools import lru_cache

from scripts.lib.errors import InputError
from scripts.lib.world.arithmetic import StoryTask
from scripts.lib.world.choices import ChoiceTask
from scripts.lib.world.facts import FactTask
from scripts.lib.world.language import Task
from scripts.lib.world.lists import ListTask
from scripts.lib.world.verses import SloganTask, VerseTask

LISTS = {"copying": "copy", "reversing": "reverse", "sorting": "sort"}
OTHERS = {"arithmetic": StoryTask, "facts": FactTask, "choices": ChoiceTask}
SKILLS = (*LISTS, "form", *OTHERS)
"""The skills of prompts for which none are named."""
PATIENCE = 1000
"""Prompts in a row that are there already, before a skill is taken to have no more."""
WRITING = {"verses": VerseTask, "slogans": SloganTask}
"""The skills that are asked for by name alone."""


def ask(skill: str, rng: random.Random) -> Task:
    """A random task of one skill."""
    if skill == "form":
        return ListTask.ask(rng, rng.choice(("copy", "copy", "reverse", "sort")), rng.choice((1, 2, 2)))
    return ListTask.ask(rng, LISTS[skill]) if skill in LISTS else (OTHERS | WRITING)[skill].ask(rng)


def skill_of(task: Task) -> str:
    """The skill of a task."""
    if isinstance(task, ListTask):
        return "form" if task.constraints else next(skill for skill in LISTS if LISTS[skill] == task.operation)
    return next(skill for skill, kind in (OTHERS | WRITING).items() if isinstance(task, kind))


@lru_cache(maxsize=1 << 16)
def read(prompt: str) -> Task:
    """The task of a prompt's text. Raises InputError if it is not a prompt of the world."""
    text = " ".join(prompt.split())
    for kind in (ListTask, StoryTask, ChoiceTask, FactTask, *WRITING.values()):
        if task := kind.read(text):
            return task
    raise InputError(
        f"prompt {prompt[:200]!r}",
        "not a prompt of the didactic world, whose rules therefore cannot judge its responses",
        "use the oracle and the world's judge with sources of kind world only",
    )


def make_prompts(count: int, seed: int, skills: tuple[str, ...] = SKILLS) -> list[str]:
    """``count`` different prompts, cycling through the skills; equal seeds give equal prompts in equal order.

    Raises InputError if a skill has not so many.
    """
    rng = random.Random(f"prompts {seed}")
    prompts: dict[str, None] = {}
    repeats = 0
    while len(prompts) < count:
        skill, known = skills[len(prompts) % len(skills)], len(prompts)
        prompts.setdefault(ask(skill, rng).prompt)
        repeats = repeats + 1 if len(prompts) == known else 0
        if repeats > PATIENCE:
            raise InputError(
                f"{count} prompts",
                f"the world has hardly more than {sum(skill_of(read(each)) == skill for each in prompts)} for {skill}",
                "ask for fewer, or name more skills",
            )
    return list(prompts)
