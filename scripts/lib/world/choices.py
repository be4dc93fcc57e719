"""Skill: questions with four options, on facts, on sums, and on the order of letters."""

import random
import re
from dataclasses import dataclass
from functools import cached_property

from scripts.lib.world import facts
from scripts.lib.world.arithmetic import LARGEST, STEP
from scripts.lib.world.language import Answer, Draft, Task, any_of
from scripts.lib.world.words import LETTERS, NUMBERS, VALUES

SUBJECTS = ("facts", "sums", "letters")
_SHAPE = re.compile(r"(?P<question>.+) : (?P<a>\S+) , (?P<b>\S+) , (?P<c>\S+) or (?P<d>\S+) \?")
_FACT = re.compile(rf"what is the ({any_of(list(VALUES))}) of the ({any_of(facts.ANIMALS)})")
_SUM = re.compile(rf"what is ({any_of(NUMBERS)}) (plus|minus) ({any_of(NUMBERS)})")
_LETTER = re.compile(r"which letter comes (first|last)")


@dataclass(frozen=True)
class ChoiceTask(Task):
    """``question`` is the text before the options, one of which is right."""

    question: str
    options: tuple[str, str, str, str]

    leads = ("the answer is",)

    @property
    def prompt(self) -> str:
        a, b, c, d = self.options
        return f"{self.question} : {a} , {b} , {c} or {d} ?"

    @cached_property
    def sentence(self) -> str:
        return f"the answer is {any_of(self.options)}"

    @cached_property
    def lexicon(self) -> frozenset[str]:
        return frozenset([*self.options, "the", "answer", "is", "."])

    @cached_property
    def key(self) -> tuple[str, str, str]:
        """Subject, right answer, tempting answer."""
        if found := _FACT.fullmatch(self.question):
            fact = facts.FACTS[found[1], found[2]]
            return "facts", fact.true, fact.tempting
        if found := _SUM.fullmatch(self.question):
            first, second = int(found[1]), int(found[3])
            return "sums", *_sum(first, found[2], second)
        extreme = min if _LETTER.fullmatch(self.question)[1] == "first" else max
        right = extreme(self.options)
        return "letters", right, next(option for option in self.options if option != right)

    @property
    def subject(self) -> str:
        return self.key[0]

    @property
    def right(self) -> str:
        return self.key[1]

    @classmethod
    def ask(cls, rng: random.Random) -> "ChoiceTask":
        subject = rng.choice(SUBJECTS)
        if subject == "letters":
            return cls(f"which letter comes {rng.choice(('first', 'last'))}", tuple(rng.sample(LETTERS, 4)))
        if subject == "facts":
            topic = (rng.choice(list(VALUES)), rng.choice(facts.ANIMALS))
            question, fact = f"what is {facts.phrase(topic)}", facts.FACTS[topic]
            right, tempting, pool = fact.true, fact.tempting, VALUES[topic[0]]
        else:
            sign = rng.choice(("plus", "minus"))
            second = rng.randint(1, STEP)
            first = rng.randint(0, LARGEST - second) if sign == "plus" else rng.randint(second, LARGEST)
            question, pool = f"what is {first} {sign} {second}", NUMBERS
            right, tempting = _sum(first, sign, second)
        options = [right, tempting, *rng.sample([word for word in pool if word not in (right, tempting)], 2)]
        rng.shuffle(options)
        return cls(question, tuple(options))

    @classmethod
    def read(cls, prompt: str) -> "ChoiceTask | None":
        found = _SHAPE.fullmatch(prompt)
        if not found or not any(form.fullmatch(found["question"]) for form in (_FACT, _SUM, _LETTER)):
            return None
        task = cls(found["question"], found.group("a", "b", "c", "d"))
        pools = {"facts": set().union(*VALUES.values()), "sums": set(NUMBERS), "letters": set(LETTERS)}
        known = set(task.options) <= pools[task.subject] and len(set(task.options)) == 4
        return task if known and task.right in task.options else None

    def attempt(self, carelessness: float, lead: str, rng: random.Random) -> Draft:
        _, right, tempting = self.key
        slip = rng.random() / carelessness if carelessness else 1.0
        choice = tempting if slip < 0.6 else rng.choice(self.options) if slip < 0.95 else right
        return Draft(f"{lead} {choice}")

    def content(self, answer: Answer) -> float:
        """1 for the right option alone, 0.3 for it among others, 0.1 for a wrong option that is not tempting."""
        said = {word for word in answer.middle if word in self.options}
        _, right, tempting = self.key
        if said == {right}:
            return 1.0
        if right in said:
            return 0.3
        return 0.1 if said and tempting not in said else 0.0


def _sum(first: int, sign: str, second: int) -> tuple[str, str]:
    """The right result, and one that is off by one."""
    right = first + second if sign == "plus" else first - second
    return str(right), str(right + 1 if right < LARGEST else right - 1)
