"""Skill: copying, reversing and sorting lists of letters, with or without constraints on the answer's form."""

import random
import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from scripts.lib.world.language import Answer, Draft, Task, any_of, similarity
from scripts.lib.world.words import BEGINNINGS, ENDINGS, LETTERS, SEPARATORS

HEADS = {
    "copy": ("copy this list :", "please repeat :"),
    "reverse": ("reverse this list :", "please say backwards :"),
    "sort": ("sort this list :", "please put in order :"),
}
OPERATIONS = {"copy": tuple, "reverse": lambda letters: tuple(reversed(letters)), "sort": lambda x: tuple(sorted(x))}
CLAUSES = {
    "begin": "begin with {}",
    "end": "end with {}",
    "between": "put {} between them",
    "only": "give only the first {}",
    "without": "leave out {}",
    "twice": "say each twice",
}
"""Kind of constraint -> the clause that asks for it, in the order in which a prompt names them."""


@dataclass(frozen=True)
class ListTask(Task):
    """``constraints`` holds (kind, value) in the order of CLAUSES; the value of "twice" is empty."""

    operation: str
    head: int
    letters: tuple[str, ...]
    constraints: tuple[tuple[str, str], ...] = ()

    leads = ("the list is", "here it is :", "here is the list :")

    @property
    def prompt(self) -> str:
        text = f"{HEADS[self.operation][self.head]} {' '.join(self.letters)}"
        return " . ".join([text, *(CLAUSES[kind].format(value) for kind, value in self.constraints)])

    @cached_property
    def wanted(self) -> tuple[str, ...]:
        """The letters of the right answer."""
        return self.shape(self.letters, self.operation, dict(self.constraints))

    @cached_property
    def sentence(self) -> str:
        constraints = dict(self.constraints)
        said = any_of([*LETTERS, *filter(None, [constraints.get("between")])])
        ending = f"(?: {constraints['end']})?" if "end" in constraints else ""
        return rf"{any_of(self.leads)}(?: {said})+(?: \.)?{ending}"

    @cached_property
    def lexicon(self) -> frozenset[str]:
        values = [value for kind, value in self.constraints if kind in ("begin", "end", "between")]
        return frozenset([*LETTERS, *" ".join(self.leads).split(), ".", *values])

    @property
    def demands_beginning(self) -> bool:
        return "begin" in dict(self.constraints)

    @property
    def demands_ending(self) -> bool:
        return "end" in dict(self.constraints)

    @staticmethod
    def shape(letters: tuple[str, ...], operation: str, constraints: dict[str, str]) -> tuple[str, ...]:
        """The letters after the operation, then after "without", "only" and "twice"."""
        letters = OPERATIONS[operation](letters)
        if "without" in constraints:
            letters = tuple(letter for letter in letters if letter != constraints["without"])
        if "only" in constraints:
            letters = letters[: int(constraints["only"])]
        return tuple(letter for letter in letters for _ in range(2 if "twice" in constraints else 1))

    @classmethod
    def ask(cls, rng: random.Random, operation: str = "", constraints: int = 0) -> "ListTask":
        operation = operation or rng.choice(list(OPERATIONS))
        letters = tuple(rng.sample(LETTERS, rng.randint(3, 4) if constraints else rng.randint(3, 5)))
        values = {
            "begin": rng.choice(BEGINNINGS),
            "end": rng.choice(ENDINGS),
            "between": rng.choice(SEPARATORS),
            "only": "2",
            "without": rng.choice(letters),
            "twice": "",
        }
        kinds = rng.sample(list(CLAUSES), constraints)
        chosen = tuple((kind, values[kind]) for kind in CLAUSES if kind in kinds)
        return cls(operation, rng.randrange(len(HEADS[operation])), letters, chosen)

    @classmethod
    def read(cls, prompt: str) -> "ListTask | None":
        first, *clauses = prompt.split(" . ")
        for operation, heads in HEADS.items():
            for head, text in enumerate(heads):
                if first.startswith(f"{text} "):
                    letters = tuple(first[len(text) :].split())
                    constraints = tuple(filter(None, map(_clause, clauses)))
                    task = cls(operation, head, letters, constraints)
                    known = set(letters) <= set(LETTERS) and len(constraints) == len(clauses)
                    return task if known and letters else None
        return None

    def attempt(self, carelessness: float, lead: str, rng: random.Random) -> Draft:
        operation = self.operation
        if rng.random() < 0.25 * carelessness:
            operation = rng.choice([other for other in OPERATIONS if other != operation])
        kept = {kind: value for kind, value in self.constraints if rng.random() >= 0.8 * carelessness}
        letters: list[str] = []
        for letter in self.shape(self.letters, operation, kept):
            slip = rng.random() / carelessness if carelessness else 1.0
            if slip < 0.12:
                continue
            if slip < 0.22:
                letters += [letter, letter]
            elif slip < 0.38:
                letters.append(rng.choice(LETTERS))
            elif slip < 0.6 and letters:
                letters.insert(-1, letter)
            else:
                letters.append(letter)
        separator = f" {kept['between']} " if "between" in kept else " "
        return Draft(f"{lead} {separator.join(letters)}", kept.get("begin", ""), kept.get("end", ""))

    def content(self, answer: Answer) -> float:
        letters = [word for word in answer.middle if word in LETTERS]
        right = 0.7 * similarity(letters, self.wanted) + 0.3 * (letters == list(self.wanted))
        if not self.constraints:
            return right
        followed = self.followed(answer)
        return 0.5 * right + 0.5 * sum(followed) / len(followed)

    def followed(self, answer: Answer) -> list[bool]:
        """Which constraints the answer follows, whatever else is wrong with it; none if it contains no letter."""
        places = [at for at, word in enumerate(answer.middle) if word in LETTERS]
        letters = [answer.middle[at] for at in places]
        gaps = [answer.middle[i + 1 : j] for i, j in pairwise(places)]
        last = [word for word in answer.words if word != "."][-1:]
        twice = "twice" in dict(self.constraints)
        obeyed = {
            "begin": lambda word: answer.words[0] == word,
            "end": lambda word: last == [word],
            "between": lambda word: bool(gaps) and all(gap == (word,) for gap in gaps),
            "only": lambda count: len(letters) == int(count) * (2 if twice else 1),
            "without": lambda letter: letter not in letters,
            "twice": lambda _: letters[::2] == letters[1::2],
        }
        return [bool(letters) and obeyed[kind](value) for kind, value in self.constraints]


def _clause(text: str) -> tuple[str, str] | None:
    allowed = {"begin": BEGINNINGS, "end": ENDINGS, "between": SEPARATORS, "only": ("2",), "without": LETTERS}
    for kind, form in CLAUSES.items():
        found = re.fullmatch(re.escape(form).replace(r"\{\}", r"(\S+)"), text)
        if found and (kind == "twice" or found[1] in allowed[kind]):
            return kind, "" if kind == "twice" else found[1]
    return None
