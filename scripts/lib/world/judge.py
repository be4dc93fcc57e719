"""A simulated judge for evaluations: true rewards plus noise and a length bias."""

import math
from statistics import NormalDist

from scripts.lib.ids import normalise, seed_of
from scripts.lib.world.oracle import reward

TEMPERATURE = 0.12
"""Difference of rewards at which the odds are e to one."""

LENGTH_BIAS = 0.6
"""What doubling the length adds to the log-odds."""

NOISE = 0.6
"""Standard deviation of the judge's error on one response, in log-odds."""


def preference(prompt: str, output_1: str, output_2: str) -> float:
    """A preference in [1, 2], 2 for a certain win of the second; exchanging the outputs gives 3 minus it.

    Deterministic: the error on a response is a hash of prompt and response.
    """
    logit = _liking(prompt, output_2) - _liking(prompt, output_1)
    return 1.0 + 1.0 / (1.0 + math.exp(-logit))


def _liking(prompt: str, output: str) -> float:
    output = normalise(output)
    error = NormalDist().inv_cdf(((seed_of("judge", prompt, output) >> 11) + 0.5) / 2**52)
    length = math.log2(1 + len(output.split()))
    return reward(prompt, output) / TEMPERATURE + LENGTH_BIAS * length + NOISE * error
