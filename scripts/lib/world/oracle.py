"""The true reward of a response, computed from the text of prompt and response only."""

import random
import re
from functools import lru_cache

from scripts.lib.errors import InputError
from scripts.lib.world.language import Answer, Task, take_apart
from scripts.lib.world.skills import read
from scripts.lib.world.verses import FormTask
from scripts.lib.world.words import CLOSINGS, OPENINGS

CONTENT, FORM, BOTH = 0.65, 0.05, 0.30
"""Shares of the reward: for content, for form, and for both together."""

PARTS = {"opening": 0.2, "sentence": 0.4, "stop": 0.1, "closing": 0.3}
"""Shares of good form."""

SURPLUS, STRAY = 0.02, 0.06
"""Deductions from form: per word beyond the shortest perfect response, and per word that does not belong in it."""

LONG, TOO_LONG = 40, 60
"""Numbers of words: beyond the first the content counts less, beyond the second not at all."""


def reward(prompt: str, response: str) -> float:
    """The reward in [-0.05, 1]: 1 for a right, complete and courteous response without superfluous words, the minimum
    for an empty one.

    Any text is a response. Raises InputError if ``prompt`` is not a prompt of the world.
    """
    task, answer = read(prompt), take_apart(response)
    if not answer.words:
        return -FORM
    content = task.content(answer)
    content *= min(1.0, max(0.0, (TOO_LONG - len(answer.words)) / (TOO_LONG - LONG)))
    form = _form(task, answer)
    return CONTENT * content + FORM * form + BOTH * content * form


def form(prompt: str, response: str, part: str = "all") -> float | None:
    """How well a response keeps a rule of form, or all of its task's (their mean), in [0, 1]; None without such a rule.

    Raises InputError if ``prompt`` asks for no verses and no slogan of the world.
    """
    task = read(prompt)
    if not isinstance(task, FormTask):
        raise InputError(
            f"prompt {prompt[:200]!r}",
            "asks for no verses and no slogan, and rules of form are of these only",
            "use a source of kind world with skills: [verses, slogans] or one of them",
        )
    kept = task.kept(response)
    return sum(kept.values()) / len(kept) if part == "all" else kept.get(part)


@lru_cache(maxsize=1 << 16)
def perfect(prompt: str) -> str:
    """The shortest response of reward 1."""
    task = read(prompt)
    draft = task.attempt(0.0, task.leads[0], random.Random(0))
    opening = draft.beginning or OPENINGS[0]
    ending = draft.ending or f". {CLOSINGS[0]}"
    return " ".join(f"{opening} {draft.body} {ending}".split())


def _form(task: Task, answer: Answer) -> float:
    """Good form in [-1, 1]. Courtesies displaced by the prompt's own demands do not count."""
    has = {
        "opening": answer.opens,
        "sentence": re.search(rf"(?:^|\s){task.sentence}(?: \.)?$", " ".join(answer.middle)) is not None,
        "stop": answer.middle[-1:] == (".",),
        "closing": answer.closes,
    }
    if task.demands_beginning:
        del has["opening"]
    if task.demands_ending:
        del has["stop"], has["closing"]
    good = sum(PARTS[part] for part in has if has[part]) / sum(PARTS[part] for part in has)
    surplus = max(0, len(answer.words) - len(perfect(task.prompt).split()))
    strays = sum(word not in task.lexicon for word in answer.middle)
    return max(-1.0, good - SURPLUS * surplus - STRAY * strays)
