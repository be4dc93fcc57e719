"""Lineages: names of families and runs, and what a pairs dataset depends on, from the configuration alone.

A run starts from a policy or from another run, so a run's name is its lineage: ``weak.off_1.dpo.s0.on_2.slic.s0``
was trained on ``on_2`` from ``weak.off_1.dpo.s0``. Parts contain no dots, so a name parses uniquely from the right.
A sample set without a policy is sampled from whatever a run starts from; names that depend on a start have it after @.
A draw of a pairs dataset, one of several disjoint parts of its prompts, is named ``<dataset>+<draw>of<draws>``.

Paths are not made here; each rule writes its own.
"""

from dataclasses import dataclass

from scripts.lib.config.behind import depends_on_start, entry_of, origin_of, over, sample_sets_behind
from scripts.lib.config.pairs import MixturePairs
from scripts.lib.config.root import AtlasConfig
from scripts.lib.families import families


@dataclass(frozen=True)
class Run:
    """(start, pairs, variant of the hyperparameters, seed) -> a policy of the same name.

    start: a configured policy, or the name of the run that this run continues from.
    """

    start: str
    pairs: str
    variant: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.start}.{self.pairs}.{self.variant}.s{self.seed}"

    @property
    def policy(self) -> str:
        """The configured policy at the beginning of the lineage."""
        return self.start.split(".")[0]

    @classmethod
    def parse(cls, name: str) -> "Run":
        start, pairs, variant, seed = name.rsplit(".", 3)
        return cls(start, pairs, variant, int(seed.removeprefix("s")))


def is_run(policy: str) -> bool:
    """Whether a name is a run's rather than a configured policy's."""
    return "." in policy


def lineage_of(policy: str) -> list[Run]:
    """The runs that lead to a policy, first to last, its own included; empty for a configured policy."""
    runs: list[Run] = []
    while is_run(policy):
        runs.insert(0, Run.parse(policy))
        policy = runs[0].start
    return runs


def at_start(name: str, start: str) -> str:
    """The name of something that depends on a start."""
    return f"{name}@{start}"


def without_start(name: str) -> str:
    """The name without the start."""
    return name.partition("@")[0]


def start_in(name: str) -> str | None:
    """The start in a name, if it carries one."""
    return name.partition("@")[2] or None


def in_draw(dataset: str, draw: int, draws: int) -> str:
    """The name of one of several draws of a pairs dataset, counted from 1; the dataset itself if there is one."""
    return dataset if draws == 1 else f"{dataset}+{draw}of{draws}"


def without_draw(name: str) -> str:
    """The name of the whole dataset; a start in the name stays."""
    whole, at, start = name.partition("@")
    return whole.partition("+")[0] + at + start


def draws_in(name: str) -> int:
    """Of how many draws a named draw is one; 1 for a whole dataset."""
    return int(without_start(name).partition("+")[2].partition("of")[2] or 1)


def families_of(config: AtlasConfig, prompt_set: str) -> list[str]:
    """The families of a prompt set, in the order of its generators; without those of sample sets."""
    return families(prompt_set, config.prompt_sets[prompt_set].generators)


def sampled_family(config: AtlasConfig, samples: str, start: str | None = None) -> str:
    """The family of a sample set; if the set names no policy, its family for this start, or the one after its @."""
    samples, start = without_start(samples), start_in(samples) or start
    spec = config.samples[samples]
    family = f"{spec.prompt_set}.{samples}"
    return family if spec.policy or start is None else at_start(family, start)


def sampled_policy(config: AtlasConfig, family: str) -> str:
    """The policy from which a sample set's family was sampled."""
    return start_in(family) or config.samples[without_start(family).split(".")[1]].policy


def pairs_for(config: AtlasConfig, dataset: str, start: str) -> str:
    """The name of the pairs that a run trains on: the configured dataset, for this start if it depends on one."""
    return at_start(dataset, start) if depends_on_start(config, dataset) else dataset


def holds_prompt_set(config: AtlasConfig, dataset: str) -> bool:
    """Whether a pairs dataset may contain responses of the prompt set itself, not only of sample sets."""
    return origin_of(config, dataset).prompt_set is not None


def families_behind(config: AtlasConfig, dataset: str, start: str | None = None) -> list[str]:
    """The families whose responses a pairs dataset may contain: of its prompt set and of sample sets."""
    sampled = [sampled_family(config, each, start) for each in sample_sets_behind(config, dataset)]
    own = families_of(config, prompt_set_behind(config, dataset)) if holds_prompt_set(config, dataset) else []
    return own + sampled


def prompt_set_behind(config: AtlasConfig, dataset: str) -> str:
    """The prompt set of a pairs dataset."""
    return over(config, dataset)[0]


def watched_samples(config: AtlasConfig, dataset: str) -> str | None:
    """The sample set that runs on a pairs dataset watch, if any."""
    return config.training.watch.get(prompt_set_behind(config, dataset))


def scorer_behind(config: AtlasConfig, dataset: str) -> str | None:
    """The scorer that a pairs dataset was made with; None if it was made from labels or with a ranker."""
    return over(config, dataset)[1]


def scored_families(config: AtlasConfig, dataset: str, start: str | None = None) -> list[str]:
    """The families whose scores the pairs are made from; empty for pairs from labels or a ranker."""
    return families_behind(config, dataset, start) if scorer_behind(config, dataset) else []


def is_mixture(config: AtlasConfig, dataset: str) -> bool:
    return isinstance(entry_of(config, dataset), MixturePairs)
