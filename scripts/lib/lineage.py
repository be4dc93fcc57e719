"""Where things come from: the names of families and runs, and what a pairs dataset rests on, without any data.

A run starts from a policy or from another run, so a run's name is its lineage: ``weak.off_1.dpo.s0.on_2.slic.s0``
was trained on ``on_2`` from ``weak.off_1.dpo.s0``. No part has a dot, so a name is parsed from the right in one way.
A sample set without a policy is of whatever a run starts from; what depends on a start carries it after an @.

Paths are not made here; each rule writes its own.
"""

from dataclasses import dataclass

from scripts.lib.config.pairs import MixturePairs
from scripts.lib.config.references import origin_of, over, sample_sets_behind
from scripts.lib.config.root import AtlasConfig
from scripts.lib.families import families


@dataclass(frozen=True)
class Run:
    """(start, pairs, variant of the hyperparameters, seed) -> a policy of the same name.

    start: a configured policy, or the name of the run that this one goes on from.
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
        """The configured policy that the lineage begins with."""
        return self.start.split(".")[0]

    @classmethod
    def parse(cls, name: str) -> "Run":
        start, pairs, variant, seed = name.rsplit(".", 3)
        return cls(start, pairs, variant, int(seed.removeprefix("s")))


def is_run(policy: str) -> bool:
    """Whether a name is a run's and not a configured policy's."""
    return "." in policy


def lineage_of(policy: str) -> list[Run]:
    """The runs behind a policy, the first one first and its own last; none behind a configured policy."""
    runs: list[Run] = []
    while is_run(policy):
        runs.insert(0, Run.parse(policy))
        policy = runs[0].start
    return runs


def at_start(name: str, start: str) -> str:
    """What a thing that depends on a start is called."""
    return f"{name}@{start}"


def without_start(name: str) -> str:
    """A thing's name in the configuration."""
    return name.partition("@")[0]


def start_in(name: str) -> str | None:
    """The start that a thing depends on, if its name carries one."""
    return name.partition("@")[2] or None


def families_of(config: AtlasConfig, prompt_set: str) -> list[str]:
    """The families of a prompt set, in the order of its generators; those of sample sets are not among them."""
    return families(prompt_set, config.prompt_sets[prompt_set].generators)


def sampled_family(config: AtlasConfig, samples: str, start: str | None = None) -> str:
    """The family that a sample set is, or where it names no policy the one that it is for this start."""
    spec = config.samples[samples]
    family = f"{spec.prompt_set}.{samples}"
    return family if spec.policy or start is None else at_start(family, start)


def sampled_policy(config: AtlasConfig, family: str) -> str:
    """The policy that drew a sample set's family."""
    return start_in(family) or config.samples[without_start(family).split(".")[1]].policy


def depends_on_start(config: AtlasConfig, dataset: str) -> bool:
    """Whether a pairs dataset is another one for every start."""
    return any(config.samples[each].policy is None for each in sample_sets_behind(config, dataset))


def pairs_for(config: AtlasConfig, dataset: str, start: str) -> str:
    """What the pairs that a run trains on are called: a dataset of the configuration, for this start if it matters."""
    return at_start(dataset, start) if depends_on_start(config, dataset) else dataset


def holds_prompt_set(config: AtlasConfig, dataset: str) -> bool:
    """Whether a pairs dataset may hold responses of its prompt set itself, and not those of sample sets alone."""
    return getattr(origin_of(config, dataset), "samples", None) is None


def families_behind(config: AtlasConfig, dataset: str, start: str | None = None) -> list[str]:
    """The families whose responses a pairs dataset may hold: of its prompt set, and of sample sets."""
    sampled = [sampled_family(config, each, start) for each in sample_sets_behind(config, dataset)]
    own = families_of(config, prompt_set_behind(config, dataset)) if holds_prompt_set(config, dataset) else []
    return own + sampled


def prompt_set_behind(config: AtlasConfig, dataset: str) -> str:
    """The prompt set whose prompts a pairs dataset is over."""
    return over(config, dataset)[0]


def scorer_behind(config: AtlasConfig, dataset: str) -> str | None:
    """The scorer by which a pairs dataset was made; None where labels or a ranker decide."""
    return over(config, dataset)[1]


def scored_families(config: AtlasConfig, dataset: str, start: str | None = None) -> list[str]:
    """The families whose scores the pairs are made from; none where labels or a ranker decide."""
    return families_behind(config, dataset, start) if scorer_behind(config, dataset) else []


def is_mixture(config: AtlasConfig, dataset: str) -> bool:
    return isinstance(config.pairs[dataset], MixturePairs)
