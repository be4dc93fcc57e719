"""The study's key in the configuration."""

from collections.abc import Iterator

from scripts.lib.config.root import AtlasConfig
from scripts.lib.config.studies import Problem, StudyConfig
from studies.mode_seeking.bandit.spec import Bandit


class Config(StudyConfig):
    """Preference Fine-Tuning of LLMs Should Leverage Suboptimal, On-Policy Data."""

    bandit: Bandit

    def problems(self, atlas: AtlasConfig) -> Iterator[Problem]:
        """Sizes that do not divide each other."""
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
