"""Who is compared: the start and, for every pairs dataset and variant, its runs. Light enough for the workflow."""

from dataclasses import dataclass

from scripts.lib.lineage import Run
from studies.compare.config import START, Config


@dataclass(frozen=True)
class Group:
    """A row of the table: the start by itself, or the runs on one pairs dataset with one variant, one per seed."""

    name: str
    policies: tuple[str, ...]
    is_trained: bool = True


def start(spec: Config) -> Group:
    return Group(f"untrained {spec.policy}", (spec.policy,), is_trained=False)


def trained(spec: Config) -> list[Group]:
    """Dataset by dataset, variant by variant; the variant is part of the name where there are several."""
    found = []
    for dataset in spec.datasets:
        for variant in spec.variants:
            name = dataset if len(spec.variants) == 1 else f"{dataset} ({variant})"
            runs = tuple(Run(spec.policy, dataset, variant, seed).name for seed in spec.seeds)
            found.append(Group(name, runs))
    return found


def baseline(spec: Config) -> Group:
    """What all others are compared with."""
    if spec.baseline == START:
        return start(spec)
    return trained(spec)[spec.datasets.index(spec.baseline) * len(spec.variants)]


def candidates(spec: Config) -> list[Group]:
    """What is compared with it: all that was trained, and not the start."""
    return [group for group in trained(spec) if group != baseline(spec)]
