"""What a configuration asks for: names of families, runs and artifacts, without reading any data.

Paths are not made here; each rule writes its own.
"""

from dataclasses import dataclass

from scripts.lib.config.pairs import TierPairs
from scripts.lib.config.root import AtlasConfig
from scripts.lib.config.studies import WhatMattersStudy
from scripts.lib.families import families


@dataclass(frozen=True)
class Run:
    """(policy, pairs, variant of the hyperparameters, seed) -> a policy of the same name."""

    policy: str
    pairs: str
    variant: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.policy}.{self.pairs}.{self.variant}.s{self.seed}"

    @classmethod
    def parse(cls, name: str) -> "Run":
        policy, pairs, variant, seed = name.split(".")
        return cls(policy, pairs, variant, int(seed.removeprefix("s")))


def families_of(config: AtlasConfig, prompt_set: str) -> list[str]:
    """The families of a prompt set, in the order of its generators."""
    return families(prompt_set, config.prompt_sets[prompt_set].generators)


def table_pairs(config: AtlasConfig, study: WhatMattersStudy) -> dict[str, TierPairs]:
    """The pairs datasets of Table 1: all tiers pairs over the study's prompt sets, in the config's order."""
    in_table = {dataset.prompt_set for dataset in study.datasets}
    return {
        name: pairs
        for name, pairs in config.pairs.items()
        if isinstance(pairs, TierPairs) and pairs.prompt_set in in_table
    }


def table_runs(config: AtlasConfig, study: WhatMattersStudy) -> list[Run]:
    """One run per pairs dataset and seed."""
    return [
        Run(study.policy, pairs, study.variant, seed) for pairs in table_pairs(config, study) for seed in study.seeds
    ]


def benchmarks(config: AtlasConfig) -> list[str]:
    """Every evaluation suite that a study reports, each once."""
    study = config.studies.what_matters
    return list(dict.fromkeys(study.benchmarks)) if study else []
