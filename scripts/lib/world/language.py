"""What all skills share: prompts as tasks, responses as answers, and the comparison of answers."""

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.lib.world.words import CLOSINGS, OPENINGS


@dataclass(frozen=True)
class Draft:
    """A generator's answer before courtesies; ``beginning`` and ``ending`` are words that the prompt demands."""

    body: str
    beginning: str = ""
    ending: str = ""


@dataclass(frozen=True)
class Answer:
    """A response in parts: its words, those between opening and closing, and which courtesies it has."""

    words: tuple[str, ...]
    middle: tuple[str, ...]
    opens: bool
    closes: bool


class Task(ABC):
    """What one prompt asks. Subclasses are frozen dataclasses, one per skill; ``read`` is the inverse of ``prompt``."""

    leads: tuple[str, ...] = ("",)
    """Ways to turn the bare answer into a sentence, the shortest first."""

    demands_beginning = False
    demands_ending = False

    @property
    @abstractmethod
    def prompt(self) -> str:
        """The prompt's text."""

    @property
    @abstractmethod
    def sentence(self) -> str:
        """A regular expression for the sentence, the last of the answer, in which a good answer is given."""

    @property
    @abstractmethod
    def lexicon(self) -> frozenset[str]:
        """The words that an answer may need, apart from courtesies."""

    @classmethod
    @abstractmethod
    def ask(cls, rng: random.Random) -> "Task":
        """A random task."""

    @classmethod
    @abstractmethod
    def read(cls, prompt: str) -> "Task | None":
        """The task of a prompt; None if it is not of this skill."""

    @abstractmethod
    def attempt(self, carelessness: float, lead: str, rng: random.Random) -> Draft:
        """An answer, with more mistakes the higher ``carelessness`` in [0, 1]; right at 0; bare if ``lead`` is ""."""

    @abstractmethod
    def content(self, answer: Answer) -> float:
        """How right the answer is, in [0, 1]; 1 only if all of it is right."""


def take_apart(response: str) -> Answer:
    """Strip the longest known opening and closing."""
    words = tuple(response.split())
    start = max((len(p.split()) for p in OPENINGS if words[: len(p.split())] == tuple(p.split())), default=0)
    rest = words[start:]
    end = max((len(p.split()) for p in CLOSINGS if rest[-len(p.split()) :] == tuple(p.split())), default=0)
    return Answer(words, rest[: len(rest) - end], start > 0, end > 0)


def contains(words: Sequence[str], phrase: Sequence[str]) -> bool:
    """Whether the phrase occurs in the words, contiguously."""
    n = len(phrase)
    return any(tuple(words[at : at + n]) == tuple(phrase) for at in range(len(words) - n + 1))


def similarity(given: Sequence[str], wanted: Sequence[str]) -> float:
    """1 minus the edit distance over the longer length; 1 when both are empty."""
    if not given and not wanted:
        return 1.0
    row = list(range(len(wanted) + 1))
    for i, word in enumerate(given, 1):
        diagonal, row[0] = row[0], i
        for j, target in enumerate(wanted, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != target))
    return 1.0 - row[-1] / max(len(given), len(wanted))


def any_of(words: Sequence[str]) -> str:
    """A regular expression that matches one of the words or phrases."""
    return "(?:" + "|".join(words) + ")"
