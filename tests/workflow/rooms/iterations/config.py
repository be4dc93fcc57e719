"""The key of a study for tests: every policy is trained twice in a row, each time off-policy or on-policy."""

from scripts.lib.config.base import Distinct, PairsRef, PolicyRef, Seed, SuiteRef, VariantRef
from scripts.lib.config.studies import StudyConfig


class Config(StudyConfig):
    """off_policy, on_policy: the pairs of each iteration; on-policy pairs are sampled from each run's start."""

    policies: Distinct[PolicyRef]
    variants: Distinct[VariantRef]
    seeds: Distinct[Seed]
    off_policy: tuple[PairsRef, PairsRef]
    on_policy: tuple[PairsRef, PairsRef]
    suites: Distinct[SuiteRef]
