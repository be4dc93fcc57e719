"""Generators: simulated writers of responses, of any competence from 0 to 1."""

import math
import random

from scripts.lib.world.skills import read
from scripts.lib.world.words import CLOSINGS, OPENINGS, RAMBLINGS, REFUSALS, vocabulary

UNEVENNESS = 0.6
"""Standard deviation of the log of a generator's carelessness from one response to the next."""


def respond(prompt: str, competence: float, rng: random.Random) -> str:
    """A response of a generator of this competence in [0, 1]; at 1 it makes no mistakes.

    Its carelessness, with median 1 - competence, varies from response to response, so that a weak generator sometimes
    beats a strong one. A careless answer contains mistakes typical of the skill (see ``Task.attempt``), lacks parts of
    good form, rambles, or refuses.
    """
    task = read(prompt)
    carelessness = min(1.0, (1.0 - competence) * math.exp(rng.gauss(0.0, UNEVENNESS)))
    if rng.random() < 0.12 * carelessness**3:
        return rng.choice(REFUSALS)
    if rng.random() < 0.06 * carelessness**3:
        return " ".join(rng.choices(vocabulary(), k=rng.randint(3, 15)))

    def mostly(rate: float) -> bool:
        return rng.random() >= rate * carelessness

    draft = task.attempt(carelessness, rng.choice(task.leads) if mostly(0.7) else "", rng)
    opening = draft.beginning or (rng.choice(OPENINGS) if mostly(0.9) else "")
    rambling = "" if mostly(0.4) else rng.choice(RAMBLINGS)
    stop = "." if mostly(0.6) else ""
    closing = draft.ending or (rng.choice(CLOSINGS) if mostly(1.0) else "")
    return " ".join(" ".join([opening, rambling, draft.body, stop, closing]).split())
