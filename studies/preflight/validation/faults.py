"""Pairs of the didactic world without a known fault, and the same with one planted. Pure; equal seeds give equal pairs.

Clean pairs: two responses to each prompt by generators of graded competence, the one of higher true reward chosen. The
scorer that preflight is given is the true reward with noise, so that it errs, as scorers do.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from scripts.lib.ids import seed_of
from scripts.lib.world.generators import respond
from scripts.lib.world.oracle import reward
from scripts.lib.world.skills import make_prompts
from scripts.lib.world.suites import prompt_of, questions
from scripts.sources.contamination import nearly
from scripts.sources.near_duplicates import near_duplicates

PROMPTS = 240
SUITE, QUESTIONS = "world_gsm8k", 600
"""The evaluation that the prompts must not stand in, and how many questions it has."""
COMPETENCES = (0.2, 0.4, 0.6, 0.8, 0.95)
WEAK, DRAWN = (0.0, 0.05, 0.1), 6
"""Weak generators' competences, and the responses of which the two worst are left."""
NOISE = 0.1
"""The scorer's standard deviation around the true reward; the responses' own is about 0.35."""
FLIPPED, DUPLICATED, CONTAMINATED, ALIKE = 0.2, 0.2, 0.05, 0.5
"""Shares of the pairs that a fault strikes."""
CUT = 12
"""Words at which truncated responses end."""
BY_LENGTH = 1.0
"""Spreads of score that one spread of length adds for the length-biased scorer."""
SIMILARITY = 0.9
TRIES = 100

Score = Callable[[str, str], float]
Pair = tuple[str, str, str]


@dataclass(frozen=True)
class Data:
    """pairs: (prompt, chosen, rejected). score: of a response to a prompt, by the scorer that preflight is given."""

    pairs: tuple[Pair, ...]
    score: Score


def asked() -> list[str]:
    """The evaluation's questions."""
    return [prompt_of(each) for each in questions(SUITE, QUESTIONS)]


def clean(seed: int) -> Data:
    """Pairs whose prompts neither repeat one another nor stand in the evaluation."""
    prompts = make_prompts(PROMPTS, seed)
    known = set(near_duplicates(prompts, SIMILARITY)) | set(nearly(prompts, asked(), SIMILARITY))
    rng = random.Random(seed_of("preflight", "clean", seed))
    kept = [each for at, each in enumerate(prompts) if at not in known]
    return Data(pairs_of(kept, COMPETENCES, rng), lambda prompt, response: noisy(seed, prompt, response))


def noisy(seed: int, prompt: str, response: str) -> float:
    """The true reward with noise that depends on the texts alone."""
    return reward(prompt, response) + NOISE * random.Random(seed_of("noise", seed, prompt, response)).gauss(0, 1)


def pairs_of(prompts: Sequence[str], competences: Sequence[float], rng: random.Random) -> tuple[Pair, ...]:
    """A pair per prompt, by two generators; prompts whose responses never differ in true reward are left out."""
    found = []
    for prompt in prompts:
        for _ in range(TRIES):
            one, other = (respond(prompt, each, rng) for each in rng.sample(list(competences), 2))
            if one and other and reward(prompt, one) != reward(prompt, other):
                found.append((prompt, *sorted((one, other), key=lambda each: -reward(prompt, each))))
                break
    return tuple(found)


def flipped_labels(data: Data, rng: random.Random) -> Data:
    return replace(data, pairs=tuple((p, r, c) if rng.random() < FLIPPED else (p, c, r) for p, c, r in data.pairs))


def length_biased_scorer(data: Data, rng: random.Random) -> Data:
    """The labels, and preflight's scorer, are by a scorer that likes length."""
    texts = [(prompt, side) for prompt, *sides in data.pairs for side in sides]
    scale = np.std([data.score(*each) for each in texts]) / np.std([len(side) for _, side in texts])

    def biased(prompt: str, response: str) -> float:
        return data.score(prompt, response) + BY_LENGTH * scale * len(response)

    ordered = [(p, *sorted((c, r), key=lambda each: -biased(p, each))) for p, c, r in data.pairs]
    return Data(tuple(ordered), biased)


def duplicated_prompts(data: Data, rng: random.Random) -> Data:
    """Some prompts again, spelt with one space more."""
    again = rng.sample(data.pairs, round(DUPLICATED * len(data.pairs)))
    return replace(data, pairs=data.pairs + tuple((p.replace(" ", "  ", 1), c, r) for p, c, r in again))


def contaminated(data: Data, rng: random.Random) -> Data:
    """Some prompts replaced by questions of the evaluation."""
    count = round(CONTAMINATED * len(data.pairs))
    return replace(data, pairs=data.pairs[count:] + pairs_of(rng.sample(asked(), count), COMPETENCES, rng))


def better_policy(data: Data, rng: random.Random) -> Data:
    """Weak generators wrote everything, and the worst of it is left: the policy is better already."""
    found = []
    for prompt, *_ in data.pairs:
        drawn = (respond(prompt, rng.choice(WEAK), rng) for _ in range(DRAWN))
        by_reward = {reward(prompt, each): each for each in drawn if each}
        if len(by_reward) > 1:
            rejected, chosen = (by_reward[each] for each in sorted(by_reward)[:2])
            found.append((prompt, chosen, rejected))
    return replace(data, pairs=tuple(found))


def truncated_responses(data: Data, rng: random.Random) -> Data:
    """All responses end at a number of words; pairs that are then equal are left out."""
    cut = ((p, *(" ".join(each.split()[:CUT]) for each in sides)) for p, *sides in data.pairs)
    return replace(data, pairs=tuple(each for each in cut if each[1] != each[2]))


def displacing_pairs(data: Data, rng: random.Random) -> Data:
    """Some rejected responses replaced by the chosen with one word changed for the worse."""
    return replace(data, pairs=tuple(_alike(each, rng) if rng.random() < ALIKE else each for each in data.pairs))


def _alike(pair: Pair, rng: random.Random) -> Pair:
    prompt, chosen, rejected = pair
    words = chosen.split()
    for _ in range(TRIES):
        at, word = rng.randrange(len(words)), rng.choice((prompt + " " + rejected).split())
        worse = " ".join([*words[:at], word, *words[at + 1 :]])
        if reward(prompt, worse) < reward(prompt, chosen):
            return prompt, chosen, worse
    return pair


FAULTS: dict[str, tuple[Callable[[Data, random.Random], Data], tuple[str, ...]]] = {
    "flipped_labels": (flipped_labels, ("wrong_labels",)),
    "length_biased_scorer": (length_biased_scorer, ("scorer_length", "length_bias")),
    "duplicated_prompts": (duplicated_prompts, ("near_duplicates",)),
    "contaminated": (contaminated, ("contamination",)),
    "better_policy": (better_policy, ("headroom",)),
    "truncated_responses": (truncated_responses, ("cut_short",)),
    "displacing_pairs": (displacing_pairs, ("displacement",)),
}
"""Fault -> how it is planted, and the findings that are to see it: any of them at warn or bad."""


def planted(fault: str, seed: int) -> Data:
    """The clean pairs of a seed with a fault."""
    return FAULTS[fault][0](clean(seed), random.Random(seed_of("preflight", fault, seed)))
