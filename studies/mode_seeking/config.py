"""The study's key in the configuration."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from scripts.lib.config.base import Distinct, Name, PairsRef, PolicyRef, Seed, Spec, SuiteRef
from scripts.lib.config.evaluation import RewardSuite
from scripts.lib.config.root import AtlasConfig
from scripts.lib.config.studies import Problem, StudyConfig
from studies.mode_seeking.bandit.spec import Bandit

Source = Literal["data", "fixed", "own"]
"""Whose responses a run learns from: the preference data's; the start's, drawn once; its own, at every step."""
Sources = Annotated[Distinct[Source], Field(min_length=1)]


class Reward(Spec):
    """A reward of language models: as it is, and as a reward model learnt it from preference data."""

    name: Name
    pairs: PairsRef = Field(description="The preference data; all runs take their prompts from it.")
    true_suite: SuiteRef = Field(description="Measures policies by the reward that is meant.")
    proxy_suite: SuiteRef = Field(description="Measures them by the reward model, which scores samples in training.")


class Language(Spec):
    """The grid of methods and samples on language models."""

    policy: PolicyRef = Field(description="The policy that every run starts from.")
    seeds: Distinct[Seed] = Field(min_length=1)
    rewards: Distinct[Reward] = Field(
        min_length=1, description="From the one whose optimum is farthest from the policy to the nearest."
    )
    methods: dict[Name, Sources] = Field(
        min_length=1,
        description="Method -> whose responses it learns from. Its training variants are <method>_data "
        "and <method>_fixed_<reward> and <method>_own_<reward>, whose online section names the proxy's scorer.",
    )


class Config(StudyConfig):
    """Preference Fine-Tuning of LLMs Should Leverage Suboptimal, On-Policy Data."""

    bandit: Bandit
    language: Language | None = None

    def problems(self, atlas: AtlasConfig) -> Iterator[Problem]:
        """Sizes that do not divide each other; variants that are missing, or do not learn from what their name says."""
        yield from self._sizes()
        for index, reward in enumerate(self.language.rewards if self.language else ()):
            suite = atlas.evaluation.suites[reward.proxy_suite]
            if not isinstance(suite, RewardSuite):
                yield (
                    ("language", "rewards", index, "proxy_suite"),
                    f"{reward.proxy_suite} is no suite of kind reward",
                    "name one",
                )
                continue
            for method, sources in self.language.methods.items():
                for source in sources:
                    yield from _of_variant(atlas, variant_of(method, source, reward.name), source, suite.scorer)

    def _sizes(self) -> Iterator[Problem]:
        spec = self.bandit
        if spec.width % spec.heads:
            yield ("bandit", "width"), f"{spec.width} is no multiple of {spec.heads} heads", "use a multiple"
        for name, each in (("reuse", max(spec.reuse)), ("offline_reuse", spec.offline_reuse)):
            if each > spec.steps:
                yield ("bandit", name), f"{each} is more than the {spec.steps} steps of a run", "use fewer"
        if spec.steps % spec.offline_reuse:
            yield (
                ("bandit", "offline_reuse"),
                f"does not divide the {spec.steps} steps of a run",
                "use a divisor, so that every offline batch is used equally often",
            )
        if max(spec.differ) > spec.length:
            yield ("bandit", "differ"), f"responses have {spec.length} tokens", "use at most as many"
        if 1 not in spec.reuse:
            yield ("bandit", "reuse"), "claims compare with samples of every step", "add 1"
        if spec.moderate_reuse and spec.steps % (spec.moderate_reuse * spec.evaluated_every):
            yield (
                ("bandit", "reuse"),
                f"{spec.moderate_reuse} times {spec.evaluated_every} steps between measurements do not divide "
                f"the {spec.steps} steps of a run",
                "use divisors: claims compare rewards at equal numbers of samples",
            )
        if spec.steps % spec.evaluated_every:
            yield ("bandit", "evaluated_every"), f"does not divide the {spec.steps} steps of a run", "use a divisor"


def variant_of(method: str, source: Source, reward: str) -> str:
    """The training variant of a method."""
    return f"{method}_data" if source == "data" else f"{method}_{source}_{reward}"


def _of_variant(atlas: AtlasConfig, name: str, source: Source, scorer: str) -> Iterator[Problem]:
    at = ("", "training", "variants", name)
    if name not in atlas.training.variants:
        yield at, f"no variant {name}, which a method of mode_seeking names", "add it"
        return
    online = atlas.training.variant(name).online
    if source == "data" and online:
        yield at, "is online, and named for the preference data", "take the online section out"
    elif source != "data" and (online is None or online.scorer != scorer):
        yield at, f"does not learn from samples that {scorer} scored", f"give it an online section with {scorer}"
    elif source == "own" and online.refresh_every > 1:
        yield at, f"draws every {online.refresh_every} batches, and is named for samples of every step", "draw every 1"
