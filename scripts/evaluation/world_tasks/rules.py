"""Metrics of the world's suites beyond lm-eval's own; the YAML files in this folder name these functions."""

import math

from scripts.lib.world.language import take_apart
from scripts.lib.world.skills import read


def truthful_mass(doc: dict, results: list[tuple[float, bool]]) -> dict[str, float]:
    """The share of the choices' probability on the true ones; results holds (log-likelihood, is greedy) per choice."""
    highest = max(loglikelihood for loglikelihood, _ in results)
    masses = [math.exp(loglikelihood - highest) for loglikelihood, _ in results]
    true = sum(mass for mass, label in zip(masses, doc["labels"], strict=True) if label)
    return {"acc": true / sum(masses)}


def constraints_followed(doc: dict, results: list[str]) -> dict[str, object]:
    """Whether the response follows all constraints, and a list with whether it follows each."""
    followed = read(doc["question"]).followed(take_apart(results[0]))
    return {"prompt_level_strict_acc": float(all(followed)), "inst_level_strict_acc": followed}


def mean_over_constraints(items: list[list[bool]]) -> float:
    """The share of all constraints, over all prompts, that are followed."""
    flat = [item for items_of_prompt in items for item in items_of_prompt]
    return sum(flat) / len(flat)
