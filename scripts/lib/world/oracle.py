"""The true reward of a response, from the prompt's and the response's text alone."""

import random
import re
from functools import lru_cache

from scripts.lib.world.language import Answer, Task, take_apart
from scripts.lib.world.skills import read
from scripts.lib.world.words import CLOSINGS, OPENINGS

CONTENT, FORM, BOTH = 0.65, 0.05, 0.30
"""Shares of the reward: for what is said, for how it is said, and for the two together."""

PARTS = {"opening": 0.2, "sentence": 0.4, "stop": 0.1, "closing": 0.3}
"""Shares of good form."""

SURPLUS, STRAY = 0.02, 0.06
"""What a word beyond the shortest perfect response costs of the form, and what a word costs that has no place in it."""

LONG, TOO_LONG = 40, 60
"""Words from which on the content counts less, and from which on it counts nothing."""


def reward(prompt: str, response: str) -> float:
    """The reward in [-0.05, 1]: 1 for a right, complete and courteous response without a needless word, the
    least for an empty one.

    Any text is a response. InputError when ``prompt`` is no prompt of the world.
    """
    task, answer = read(prompt), take_apart(response)
    if not answer.words:
        return -FORM
    content = task.content(answer)
    content *= min(1.0, max(0.0, (TOO_LONG - len(answer.words)) / (TOO_LONG - LONG)))
    form = _form(task, answer)
    return CONTENT * content + FORM * form + BOTH * content * form


@lru_cache(maxsize=1 << 16)
def perfect(prompt: str) -> str:
    """The shortest response of reward 1."""
    task = read(prompt)
    draft = task.attempt(0.0, task.leads[0], random.Random(0))
    opening = draft.beginning or OPENINGS[0]
    ending = draft.ending or f". {CLOSINGS[0]}"
    return " ".join(f"{opening} {draft.body} {ending}".split())


def _form(task: Task, answer: Answer) -> float:
    """Good form in [-1, 1]. Courtesies that the prompt's own demands displace do not count."""
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
