"""Skills whose prompts ask for a form: verses and slogans, which stand for the poems and slogans of "3D-Properties".

They are asked for by name alone (``skills`` of a source of kind world): no other prompt set holds them. Their rhymes
and qualities are words of their own, which other skills do not know.
"""

import random
import re
from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property

from scripts.lib.world.language import Answer, Draft, Task, any_of
from scripts.lib.world.words import ANIMALS, THINGS

RHYMES = {
    "ay": ("day", "may", "way", "ray", "hay", "stay", "play"),
    "ight": ("night", "light", "sight", "bright", "flight", "might"),
    "oon": ("moon", "soon", "noon", "tune", "june", "dune"),
    "ow": ("snow", "glow", "slow", "low", "flow", "show"),
}
FILLERS = (
    "under",
    "over",
    "near",
    "old",
    "warm",
    "cold",
    "soft",
    "wild",
    "still",
    "far",
    "sees",
    "sings",
    "runs",
    "calls",
)
TITLES = (("my", "our", "one", "this"), ("song", "walk", "dream", "sea", "road"))
QUALITIES = ("cheap", "strong", "new", "fine", "fast", "clean", "light", "round")
QUALITIES += ("soft", "bright", "calm", "quick", "smart", "warm")
CLAIMS = ("always", "now", "for", "you", "best", "ever", "more", "joy")
ROW, COLON, END = "/", ":", "the end"
ROWS, WORDS, LENGTHS = (2, 3, 4), (3, 4, 5), (4, 5, 6, 7)
PARTS = ("rows", "words", "rhyme", "title", "length", "content")
"""What is asked of verses, four of them, and of slogans, two."""

_VERSES = re.compile(
    rf"write (\d) rows of (\d) words about the ({any_of(ANIMALS)}) \. rhyme with (\S+) \. call it (\S+ \S+)"
)
_SLOGAN = re.compile(rf"write one slogan of (\d) words for ({any_of(THINGS)}) \. say (\S+) and (\S+)")


class FormTask(Task):
    """A task whose rules are of form; how well each is kept is a part of the reward."""

    demands_beginning = demands_ending = True
    sentence = ".+"

    @abstractmethod
    def parts(self, words: list[str]) -> dict[str, float]:
        """Part -> how well a response's words keep that rule, in [0, 1]."""

    def kept(self, response: str) -> dict[str, float]:
        """The same of a response's text; full stops and the closing words do not count."""
        words = [word for word in response.split() if word != "."]
        end = END.split()
        return self.parts(words[: -len(end)] if words[-len(end) :] == end else words)

    def content(self, answer: Answer) -> float:
        kept = self.kept(" ".join(answer.words))
        return sum(kept.values()) / len(kept)


@dataclass(frozen=True)
class VerseTask(FormTask):
    """rows of words each, all ending in different rhymes of a word, after a title."""

    rows: int
    words: int
    animal: str
    rhyme: str
    title: str

    @property
    def prompt(self) -> str:
        form = f"write {self.rows} rows of {self.words} words about the {self.animal}"
        return f"{form} . rhyme with {self.rhyme} . call it {self.title}"

    @cached_property
    def rhymes(self) -> tuple[str, ...]:
        """All words that rhyme, the given one among them."""
        return next(words for words in RHYMES.values() if self.rhyme in words)

    @cached_property
    def lexicon(self) -> frozenset[str]:
        rhymes = [word for words in RHYMES.values() for word in words]
        titles = [word for words in TITLES for word in words]
        return frozenset([*rhymes, *FILLERS, *titles, *ANIMALS, *END.split(), ROW, COLON, "."])

    @classmethod
    def ask(cls, rng: random.Random) -> "VerseTask":
        rhyme = rng.choice(rng.choice(list(RHYMES.values())))
        title = " ".join(rng.choice(words) for words in TITLES)
        return cls(rng.choice(ROWS), rng.choice(WORDS), rng.choice(ANIMALS), rhyme, title)

    @classmethod
    def read(cls, prompt: str) -> "VerseTask | None":
        found = _VERSES.fullmatch(prompt)
        known = found and any(found[4] in words for words in RHYMES.values())
        return (
            cls(int(found[1]), int(found[2]), *found.group(3, 4, 5)) if known and "0" not in found.group(1, 2) else None
        )

    def attempt(self, carelessness: float, lead: str, rng: random.Random) -> Draft:
        def slips(rate: float) -> bool:
            return rng.random() < rate * carelessness

        rows = max(1, self.rows + rng.choice((-1, 1))) if slips(0.6) else self.rows
        rhymes = rng.sample(self.rhymes, len(self.rhymes))
        lines = []
        for at in range(rows):
            size = max(2, self.words + rng.choice((-1, 1))) if slips(0.5) else self.words
            middle = [self.animal, *rng.choices(FILLERS, k=size)][: size - 1]
            lines.append(" ".join([*middle, rng.choice(FILLERS) if slips(0.6) else rhymes[at % len(rhymes)]]))
        title = " ".join(rng.choice(words) for words in TITLES) if slips(0.8) else self.title
        return Draft(f" {ROW} ".join(lines), f"{title} {COLON}", END)

    def parts(self, words: list[str]) -> dict[str, float]:
        at = words.index(COLON) if COLON in words else 0
        lines = [line.split() for line in " ".join(words[at + (COLON in words) :]).split(ROW)]
        lines = [line for line in lines if line]
        last = {line[-1] for line in lines if line[-1] in self.rhymes}
        return {
            "rows": max(0.0, 1 - abs(len(lines) - self.rows) / self.rows),
            "words": sum(len(line) == self.words for line in lines) / max(1, len(lines)),
            "rhyme": len(last) / max(self.rows, len(lines)),
            "title": float(" ".join(words[:at]) == self.title),
        }


@dataclass(frozen=True)
class SloganTask(FormTask):
    """A slogan of so many words that names a thing and both of its qualities."""

    length: int
    thing: str
    qualities: tuple[str, str]

    @property
    def prompt(self) -> str:
        return f"write one slogan of {self.length} words for {self.thing} . say {' and '.join(self.qualities)}"

    @cached_property
    def lexicon(self) -> frozenset[str]:
        return frozenset([*THINGS, *QUALITIES, *CLAIMS, "slogan", *END.split(), COLON, "."])

    @classmethod
    def ask(cls, rng: random.Random) -> "SloganTask":
        return cls(rng.choice(LENGTHS), rng.choice(THINGS), tuple(rng.sample(QUALITIES, 2)))

    @classmethod
    def read(cls, prompt: str) -> "SloganTask | None":
        found = _SLOGAN.fullmatch(prompt)
        known = found and {*found.group(3, 4)} <= set(QUALITIES) and int(found[1]) >= LENGTHS[0]
        return cls(int(found[1]), found[2], found.group(3, 4)) if known else None

    def attempt(self, carelessness: float, lead: str, rng: random.Random) -> Draft:
        def slips(rate: float) -> bool:
            return rng.random() < rate * carelessness

        size = max(3, self.length + rng.choice((-2, -1, 1, 2))) if slips(0.8) else self.length
        wanted = [word for word in (self.thing, *self.qualities) if not slips(0.5)]
        words = [*wanted, *rng.choices(CLAIMS, k=size)][:size]
        rng.shuffle(words)
        return Draft(" ".join(words), f"slogan {COLON}", END)

    def parts(self, words: list[str]) -> dict[str, float]:
        words = words[words.index(COLON) + 1 :] if COLON in words else words
        wanted = {self.thing, *self.qualities}
        return {
            "length": max(0.0, 1 - abs(len(words) - self.length) / self.length),
            "content": len(wanted & set(words)) / len(wanted),
        }
