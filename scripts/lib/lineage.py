"""Where things come from: the names of families and runs, and what a pairs dataset rests on, without any data.

Paths are not made here; each rule writes its own.
"""

from dataclasses import dataclass

from scripts.lib.config.pairs import MixturePairs
from scripts.lib.config.references import drawn_from, rooted
from scripts.lib.config.root import AtlasConfig
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
    """The families of a prompt set, in the order of its generators; those of sample sets are not among them."""
    return families(prompt_set, config.prompt_sets[prompt_set].generators)


def sampled_family(config: AtlasConfig, samples: str) -> str:
    """The family that a sample set is."""
    return f"{config.samples[samples].prompt_set}.{samples}"


def sample_sets_behind(config: AtlasConfig, dataset: str) -> list[str]:
    """The sample sets whose responses a pairs dataset may hold."""
    spec = config.pairs[dataset]
    own = [spec.samples] if isinstance(spec, MixturePairs) else []
    others = [each for other in drawn_from(config, dataset) for each in sample_sets_behind(config, other)]
    return list(dict.fromkeys([*others, *own]))


def families_behind(config: AtlasConfig, dataset: str) -> list[str]:
    """The families whose responses a pairs dataset may hold: of its prompt set, and of sample sets."""
    sampled = [sampled_family(config, each) for each in sample_sets_behind(config, dataset)]
    return families_of(config, prompt_set_behind(config, dataset)) + sampled


def prompt_set_behind(config: AtlasConfig, dataset: str) -> str:
    return rooted(config, dataset).prompt_set


def scorer_behind(config: AtlasConfig, dataset: str) -> str:
    return rooted(config, dataset).scorer


def benchmarks(config: AtlasConfig) -> list[str]:
    """Every evaluation suite that a study reports, each once."""
    study = config.studies.what_matters
    return list(dict.fromkeys(study.benchmarks)) if study else []
