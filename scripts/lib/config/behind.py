"""What is behind a pairs dataset: the datasets, sample sets, prompt set and scorer that it is made from. And what is
behind a policy: the model that its lineage begins with."""

from typing import Any

from scripts.lib.config.pairs import BlendPairs, CounterfactualPairs, GapPairs, MixturePairs, WithoutPairs
from scripts.lib.config.policies import SupervisedPolicy


def entry_of(config: Any, dataset: str) -> Any:
    """The entry of a pairs dataset, of which a draw may be named (lineage.in_draw)."""
    return config.pairs[dataset.partition("+")[0]]


def drawn_from(config: Any, dataset: str) -> list[str]:
    """The pairs datasets from which a dataset is made."""
    spec = entry_of(config, dataset)
    if isinstance(spec, CounterfactualPairs):
        return [spec.chosen_of, spec.rejected_of]
    if isinstance(spec, MixturePairs | WithoutPairs):
        return [spec.base]
    if isinstance(spec, BlendPairs):
        return [spec.off_policy, spec.on_policy]
    if isinstance(spec, GapPairs):
        return [each for each in (spec.chosen_above, spec.rejected_below) if each]
    return []


def sample_sets_behind(config: Any, dataset: str) -> list[str]:
    """The sample sets whose responses a pairs dataset may contain; with a policy after @ if it names whose."""
    spec = entry_of(config, dataset)
    own, of = getattr(spec, "samples", None), getattr(spec, "of", None)
    others = [each for other in drawn_from(config, dataset) for each in sample_sets_behind(config, other)]
    return list(dict.fromkeys([*others, *([f"{own}@{of}" if of else own] if own else [])]))


def depends_on_start(config: Any, dataset: str) -> bool:
    """Whether a pairs dataset differs from start to start."""
    sets = [each for each in sample_sets_behind(config, dataset) if "@" not in each]
    return any(config.samples[each].policy is None for each in sets)


def origin_of(config: Any, dataset: str) -> Any:
    """The entry at the root of a pairs dataset: the one over responses, of a prompt set or of a sample set."""
    spec = entry_of(config, dataset)
    while not hasattr(spec, "prompt_set"):
        (dataset, *_) = drawn_from(config, dataset)
        spec = config.pairs[dataset]
    return spec


def over(config: Any, dataset: str) -> tuple[str, str | None]:
    """The prompt set of a pairs dataset, and the scorer that it was made with, if any."""
    spec = origin_of(config, dataset)
    return spec.prompt_set or config.samples[spec.samples].prompt_set, getattr(spec, "scorer", None)


def supervised_behind(config: Any, policy: str) -> list[str]:
    """The policies of kind supervised that a policy or run comes from, itself included, the first one first."""
    found, name = [], policy.split(".")[0]
    while isinstance(spec := config.policies[name], SupervisedPolicy):
        found.insert(0, name)
        name = spec.start
    return found


def model_behind(config: Any, policy: str) -> Any:
    """The entry of the given or scratch policy that a policy or run comes from: it has lengths, rules and threads."""
    spec = config.policies[policy.split(".")[0]]
    while isinstance(spec, SupervisedPolicy):
        spec = config.policies[spec.start]
    return spec
