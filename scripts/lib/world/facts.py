"""Skill: facts about animals, each with a tempting false answer."""

import random
import re
from dataclasses import dataclass
from functools import cached_property

from scripts.lib.world.language import Answer, Draft, Task, any_of
from scripts.lib.world.words import ANIMALS, NAMES, VALUES

Topic = tuple[str, str]
"""(attribute, animal)."""

QUESTIONS = (
    "what is {} ?",
    "tell me {} .",
    "please say what is {} .",
    *(f"{name} asks : what is {{}} ?" for name in NAMES),
    *(f"please tell {name} {{}} ." for name in NAMES),
)
_TOPIC = re.compile(rf"the ({any_of(list(VALUES))}) of the ({any_of(ANIMALS)})")


@dataclass(frozen=True)
class Fact:
    """The true value of a topic, and the tempting false one."""

    true: str
    tempting: str


def _table(seed: int = 20) -> dict[Topic, Fact]:
    rng = random.Random(seed)
    return {
        (attribute, animal): Fact(*rng.sample(values, 2)) for attribute, values in VALUES.items() for animal in ANIMALS
    }


FACTS = _table()


def phrase(topic: Topic) -> str:
    """A topic in words."""
    return f"the {topic[0]} of the {topic[1]}"


def recall(topic: Topic, carelessness: float, rng: random.Random) -> str:
    """A value for the topic: the tempting one at 0.7, any at 0.25 times carelessness, else the true one."""
    fact, slip = FACTS[topic], rng.random() / carelessness if carelessness else 1.0
    if slip < 0.7:
        return fact.tempting
    return rng.choice(VALUES[topic[0]]) if slip < 0.95 else fact.true


@dataclass(frozen=True)
class FactTask(Task):
    """A question on one topic, or on two topics with different attributes."""

    question: int
    topics: tuple[Topic, ...]

    @property
    def prompt(self) -> str:
        return QUESTIONS[self.question].format(" and ".join(map(phrase, self.topics)))

    @cached_property
    def leads(self) -> tuple[str, ...]:
        return (" and ".join(f"{phrase(topic)} is {{}}" for topic in self.topics),)

    @cached_property
    def sentence(self) -> str:
        return self.leads[0].format(*(any_of(VALUES[attribute]) for attribute, _ in self.topics))

    @cached_property
    def lexicon(self) -> frozenset[str]:
        values = [value for attribute, _ in self.topics for value in VALUES[attribute]]
        return frozenset([*values, *" ".join(self.leads).split(), "and", "."])

    @classmethod
    def ask(cls, rng: random.Random, topics: int = 0) -> "FactTask":
        attributes = rng.sample(list(VALUES), topics or rng.randint(1, 2))
        return cls(rng.randrange(len(QUESTIONS)), tuple((attribute, rng.choice(ANIMALS)) for attribute in attributes))

    @classmethod
    def read(cls, prompt: str) -> "FactTask | None":
        topics = tuple(_TOPIC.findall(prompt))
        if not 1 <= len(topics) <= 2:
            return None
        tasks = (cls(question, topics) for question in range(len(QUESTIONS)))
        return next((task for task in tasks if task.prompt == prompt), None)

    def attempt(self, carelessness: float, lead: str, rng: random.Random) -> Draft:
        values = [recall(topic, carelessness, rng) for topic in self.topics]
        return Draft((lead or " and ".join("{}" for _ in values)).format(*values))

    def content(self, answer: Answer) -> float:
        """The mean over the topics: 1 for the truth alone, 0.3 for it among others, 0.1 for an untempting error."""
        return sum(self._credit(topic, answer) for topic in self.topics) / len(self.topics)

    @staticmethod
    def _credit(topic: Topic, answer: Answer) -> float:
        said = {word for word in answer.middle if word in VALUES[topic[0]]}
        fact = FACTS[topic]
        if said == {fact.true}:
            return 1.0
        if fact.true in said:
            return 0.3
        return 0.1 if said and fact.tempting not in said else 0.0
