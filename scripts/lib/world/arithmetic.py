"""Skill: short stories of gains and losses whose answer is a number, best shown with its steps."""

import random
import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from scripts.lib.world.language import Answer, Draft, Task, any_of, contains
from scripts.lib.world.words import GAINS, LOSSES, NAMES, NUMBERS, THINGS

LARGEST = len(NUMBERS) - 1
STEP = 5
"""The largest number that a story adds or subtracts."""

_VERBS = any_of(GAINS + LOSSES)
_STORY = re.compile(
    rf"(?P<name>{any_of(NAMES)}) has (?P<start>\d+) (?P<thing>{any_of(THINGS)})"
    rf"(?P<steps>(?: (?:,|and) {_VERBS} \d+)+) \. how many (?P=thing) \?"
)


@dataclass(frozen=True)
class StoryTask(Task):
    """``steps`` holds (verb, amount); every intermediate number is between 0 and LARGEST."""

    name: str
    thing: str
    start: int
    steps: tuple[tuple[str, int], ...]

    leads = ("the answer is",)
    sentence = rf"the answer is {any_of(NUMBERS)}"

    @property
    def prompt(self) -> str:
        told = [f"{verb} {amount}" for verb, amount in self.steps]
        *early, last = told
        middle = "".join(f" , {step}" for step in early)
        return f"{self.name} has {self.start} {self.thing}{middle} and {last} . how many {self.thing} ?"

    @cached_property
    def lexicon(self) -> frozenset[str]:
        return frozenset([*NUMBERS, "plus", "minus", "is", "the", "answer", "."])

    @cached_property
    def totals(self) -> tuple[int, ...]:
        """The number after each step, beginning with the start."""
        totals = [self.start]
        for verb, amount in self.steps:
            totals.append(totals[-1] + (amount if verb in GAINS else -amount))
        return tuple(totals)

    @classmethod
    def ask(cls, rng: random.Random) -> "StoryTask":
        total = start = rng.randint(1, LARGEST - STEP)
        steps = []
        for _ in range(rng.choice((1, 2, 2))):
            gain = total == 0 or (total < LARGEST and rng.random() < 0.5)
            amount = rng.randint(1, min(STEP, LARGEST - total if gain else total))
            total += amount if gain else -amount
            steps.append((rng.choice(GAINS if gain else LOSSES), amount))
        return cls(rng.choice(NAMES), rng.choice(THINGS), start, tuple(steps))

    @classmethod
    def read(cls, prompt: str) -> "StoryTask | None":
        found = _STORY.fullmatch(prompt)
        if not found:
            return None
        steps = tuple((verb, int(amount)) for verb, amount in re.findall(rf"({_VERBS}) (\d+)", found["steps"]))
        task = cls(found["name"], found["thing"], int(found["start"]), steps)
        return task if task.prompt == prompt and all(0 <= total <= LARGEST for total in task.totals) else None

    def attempt(self, carelessness: float, lead: str, rng: random.Random) -> Draft:
        total, shown = self.start, []
        for verb, amount in self.steps:
            gain = verb in GAINS
            slip = rng.random() / carelessness if carelessness else 1.0
            if slip < 0.2:
                gain = not gain
            result = total + (amount if gain else -amount)
            if 0.2 <= slip < 0.6:
                result += rng.choice((-1, 1))
            elif 0.6 <= slip < 0.7:
                result = rng.randint(0, LARGEST)
            result = min(max(result, 0), LARGEST)
            shown.append(f"{total} {'plus' if gain else 'minus'} {amount} is {result} .")
            total = result
        if rng.random() < 0.5 * carelessness:
            shown = shown[len(shown) - rng.randint(0, len(shown) - 1) :]
        return Draft(" ".join([*shown, lead, str(total)]))

    def content(self, answer: Answer) -> float:
        """Two thirds for the final number (little for a near miss), one third for the share of the steps shown."""
        numbers = [int(word) for word in answer.middle if word in NUMBERS]
        if not numbers:
            return 0.0
        miss = abs(numbers[-1] - self.totals[-1])
        right = 1.0 if miss == 0 else max(0.0, 0.3 - 0.1 * miss)
        shown = [contains(answer.middle, step.split()) for step in self._working()]
        return (2 * right + sum(shown) / len(shown)) / 3

    def _working(self) -> list[str]:
        return [
            f"{before} {'plus' if verb in GAINS else 'minus'} {amount} is {after} ."
            for (verb, amount), (before, after) in zip(self.steps, pairwise(self.totals), strict=True)
        ]
