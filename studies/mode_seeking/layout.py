"""The rows of language.csv: which runs each of them is measured by."""

from dataclasses import dataclass

from scripts.lib.config.root import AtlasConfig
from scripts.lib.lineage import Run
from studies.mode_seeking.bandit.layout import METHODS
from studies.mode_seeking.config import Config, Language, Source, variant_of

LIKELIHOOD = ("sft", "reward_weighted")
"""Objectives that lower no response's likelihood."""


@dataclass(frozen=True)
class Row:
    """One reward, method and source of responses; runs: one a seed. negative: whether it has a negative gradient."""

    reward: str
    method: str
    source: Source
    negative: bool
    runs: tuple[str, ...]


def title_of(method: str) -> str:
    """A method's name in tables: that of the bandit's, or as configured."""
    return METHODS[method].title if method in METHODS else method


def rows(spec: Language, negative: dict[str, bool]) -> list[Row]:
    """In the order of the configuration. negative: of every variant."""
    found = []
    for reward in spec.rewards:
        for method, sources in spec.methods.items():
            for source in sources:
                variant = variant_of(method, source, reward.name)
                runs = tuple(Run(spec.policy, reward.pairs, variant, seed).name for seed in spec.seeds)
                found.append(Row(reward.name, method, source, negative[variant], runs))
    return found


def negative_of(spec: Language, atlas: AtlasConfig) -> dict[str, bool]:
    """Of every variant of the grid, whether its objective has a negative gradient."""
    names = {
        variant_of(method, source, reward.name)
        for reward in spec.rewards
        for method, sources in spec.methods.items()
        for source in sources
    }
    return {name: atlas.training.variant(name).objective not in LIKELIHOOD for name in sorted(names)}


def measured(spec: Config, negative: dict[str, bool]) -> list[tuple[str, str]]:
    """(policy or run, suite): every row by both of its reward's suites, and the policy that runs start from by all."""
    if spec.language is None:
        return []
    suites = {reward.name: (reward.true_suite, reward.proxy_suite) for reward in spec.language.rewards}
    of_start = [(spec.language.policy, suite) for both in suites.values() for suite in both]
    runs = [(run, suite) for row in rows(spec.language, negative) for run in row.runs for suite in suites[row.reward]]
    return list(dict.fromkeys([*of_start, *runs]))
