"""Questions for the world's evaluation suites, each the counterpart of a benchmark.

| suite            | in place of | asks                           | measured by                               |
|------------------|-------------|--------------------------------|-------------------------------------------|
| world_gsm8k      | GSM8K       | the arithmetic stories         | the final number                          |
| world_lists      | SuperCLUE   | lists without constraints      | grades, where runs train on stories alone |
| world_mmlu       | MMLU        | questions with four options    | the likeliest option                      |
| world_truthfulqa | TruthfulQA  | single facts                   | the probability of the true answers (MC2) |
| world_ifeval     | IFEval      | lists with constraints on form | the constraints followed                  |
| world_verses     | Poem        | verses of a given form         | the parts of the form kept                |
| world_slogans    | Slogan      | slogans of a given length      | the same                                  |
| world_alpaca     | AlpacaEval  | open prompts of every skill    | the win rate against a reference          |

The prompts have the format of training prompts but come from separate seeds. Prompts that coincide by chance are
dropped from the training side when prompt sets are curated (``PromptSetSpec.unseen_by``).
"""

import random
from collections.abc import Callable, Iterator

from scripts.lib.errors import InputError
from scripts.lib.ids import seed_of
from scripts.lib.world.choices import ChoiceTask
from scripts.lib.world.facts import FACTS, FactTask, phrase
from scripts.lib.world.generators import respond
from scripts.lib.world.skills import LISTS, SKILLS, ask
from scripts.lib.world.words import VALUES

REFERENCE = "world_reference"
REFERENCE_COMPETENCE = 0.6
"""Competence of the generator whose outputs are the reference of win rates."""

PATIENCE = 1000
"""After this many repeated draws in a row, the suite's questions count as exhausted."""


def questions(suite_task: str, size: int, seed: int = 0) -> list[dict]:
    """The first ``size`` questions of a suite, all with different prompts; a larger size only adds questions.

    The prompt is in ``question`` (world_alpaca: ``instruction``). Further keys, by suite: answer (the number as text);
    choices, answer (an index), subject; choices, labels (1 if true); none; output, generator.
    """
    if suite_task not in SUITES:
        raise InputError(f"suite {suite_task!r}", "the world has no such suite", f"use one of {', '.join(SUITES)}")
    if size < 1:
        raise InputError(f"suite {suite_task}", f"its size is {size}", "give a size of at least 1")
    rows: dict[str, dict] = {}
    repeats = 0
    for row in SUITES[suite_task](random.Random(f"suite {suite_task}" + (f" {seed}" if seed else ""))):
        new = rows.setdefault(prompt_of(row), row) is row
        repeats = 0 if new else repeats + 1
        if repeats > PATIENCE:
            raise InputError(
                f"suite {suite_task}", f"the world has about {len(rows)} questions for it", "ask for fewer"
            )
        if len(rows) == size:
            break
    return list(rows.values())


def prompt_of(question: dict) -> str:
    """The prompt of a question of any of the world's suites."""
    return question["question"] if "question" in question else question["instruction"]


def _arithmetic(rng: random.Random) -> Iterator[dict]:
    while True:
        task = ask("arithmetic", rng)
        yield {"question": task.prompt, "answer": str(task.totals[-1])}


def _lists(rng: random.Random) -> Iterator[dict]:
    while True:
        for skill in LISTS:
            yield {"question": ask(skill, rng).prompt}


def _options(rng: random.Random) -> Iterator[dict]:
    while True:
        task = ChoiceTask.ask(rng)
        yield {
            "question": task.prompt,
            "choices": [f"the answer is {option} ." for option in task.options],
            "answer": task.options.index(task.right),
            "subject": task.subject,
        }


def _truths(rng: random.Random) -> Iterator[dict]:
    while True:
        task = FactTask.ask(rng, topics=1)
        (topic,) = task.topics
        fact = FACTS[topic]
        other = rng.choice([value for value in VALUES[topic[0]] if value not in (fact.true, fact.tempting)])
        values = (fact.true, fact.tempting, other)
        yield {
            "question": task.prompt,
            "choices": [text for value in values for text in (f"{phrase(topic)} is {value} .", f"{value} .")],
            "labels": [int(value == fact.true) for value in values for _ in range(2)],
        }


def _constraints(rng: random.Random) -> Iterator[dict]:
    while True:
        yield {"question": ask("form", rng).prompt}


def _verses(rng: random.Random) -> Iterator[dict]:
    while True:
        yield {"question": ask("verses", rng).prompt}


def _slogans(rng: random.Random) -> Iterator[dict]:
    while True:
        yield {"question": ask("slogans", rng).prompt}


def _open(rng: random.Random) -> Iterator[dict]:
    while True:
        for skill in SKILLS:
            task = ask(skill, rng)
            slips = random.Random(seed_of(REFERENCE, task.prompt))
            output = respond(task.prompt, REFERENCE_COMPETENCE, slips)
            yield {"instruction": task.prompt, "output": output, "generator": REFERENCE}


SUITES: dict[str, Callable[[random.Random], Iterator[dict]]] = {
    "world_gsm8k": _arithmetic,
    "world_lists": _lists,
    "world_mmlu": _options,
    "world_truthfulqa": _truths,
    "world_ifeval": _constraints,
    "world_verses": _verses,
    "world_slogans": _slogans,
    "world_alpaca": _open,
}
