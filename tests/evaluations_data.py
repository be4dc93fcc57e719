"""Evaluations of policies, for tests of what is computed from them."""

from pathlib import Path

from scripts.lib.results import evaluation, write_evaluation


def put(folder: Path, policy: str, suite: str, values: list[float]) -> None:
    """A policy's points on a suite, one per question."""
    write_evaluation(evaluation(policy, suite, "acc", values, {}, {}), folder / policy / f"{suite}.json")
