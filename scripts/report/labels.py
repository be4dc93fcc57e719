"""Display names in figures and on the page."""

import re
from collections.abc import Callable, Iterable

BENCHMARKS = {
    "gsm8k": "GSM8K",
    "lc_ae2": "LC-AE2",
    "mmlu": "MMLU",
    "ifeval": "IFEval",
    "truthfulqa": "TruthfulQA",
    "true_reward": "true reward",
}

OF_NAMES = "_-. "
"""Characters after which a name may go on on the next line."""


def benchmark(name: str) -> str:
    """The benchmark's usual spelling, or its name in the configuration."""
    return BENCHMARKS.get(name, name)


def wrapped(name: str, width: float, size: Callable[[str], float] = len, breaks: str = OF_NAMES) -> str:
    """A name on lines of at most ``width``, broken after its own ``breaks`` where possible; size: of a text, in width.

    A single character wider than ``width`` has a line of its own.
    """
    lines = [""]
    for part in re.findall(f"[^{re.escape(breaks)}]*[{re.escape(breaks)}]*", name):
        if lines[-1] and size((lines[-1] + part).strip()) > width:
            lines.append("")
        for character in part:
            if lines[-1] and size((lines[-1] + character).strip()) > width:
                lines.append("")
            lines[-1] += character
    return "\n".join(line.strip() for line in lines if line.strip())


def listed(names: list[str]) -> str:
    """Names as in a sentence: a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def repeats(seeds: Iterable[float], draws: Iterable[float]) -> str:
    """What standard errors of some rows are over, and what a single seed leaves out."""
    of_seeds, of_draws = ("/".join(f"{each:g}" for each in sorted(set(counts))) for counts in (seeds, draws))
    if (of_seeds, of_draws) == ("1", "1"):
        return "questions (1 seed shows no training noise)"
    in_words = "questions and 1 seed" if of_seeds == "1" else f"questions and {of_seeds} seeds"
    return in_words if of_draws == "1" else f"{in_words} in each of {of_draws} draws of the data"
