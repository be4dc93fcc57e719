"""What parts of the configuration say of one another: names that must stand for something, and parts that must fit."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from scripts.lib.config.base import Reference, Spec
from scripts.lib.config.evaluation import HarnessSuite
from scripts.lib.config.pairs import CounterfactualPairs, GapPairs, MixturePairs
from scripts.lib.config.scorers import ScratchScorer
from scripts.lib.families import slug

Location = tuple[str | int, ...]
Problem = tuple[Location, str, str]
"""Where, what, and the remedy."""


def problems(config: Any) -> list[Problem]:
    """Everything in an AtlasConfig that contradicts another part; the second kind only where all names are known."""
    found = list(_unknown_names(config)) or list(_pairs_in_a_circle(config))
    return found or [problem for check in CHECKS for problem in check(config)]


def _unknown_names(config: Any) -> Iterator[Problem]:
    for at, name, section in _references(config, type(config), ()):
        known = list(_section(config, section))
        if name not in known:
            yield (
                at,
                f"no {section} {name!r}",
                f"use one of {', '.join(known) or 'none yet'}, or define it under {section}",
            )


def _references(value: Any, hint: Any, at: Location) -> Iterator[tuple[Location, str, str]]:
    """Every field that is marked as a Reference, as (where, the name it gives, the section it means)."""
    if isinstance(value, Spec):
        for field, inner in get_type_hints(type(value), include_extras=True).items():
            if field != "model_config":
                yield from _references(getattr(value, field), inner, (*at, field))
        return
    arguments = get_args(hint)
    if get_origin(hint) is Annotated:
        for mark in arguments[1:]:
            if isinstance(mark, Reference) and isinstance(value, str):
                yield at, value, mark.section
        yield from _references(value, arguments[0], at)
    elif isinstance(value, dict) and arguments:
        for key, item in value.items():
            yield from _references(item, arguments[1], (*at, key))
    elif isinstance(value, list) and arguments:
        for index, item in enumerate(value):
            yield from _references(item, arguments[0], (*at, index))
    elif value is not None:
        for option in arguments:
            yield from _references(value, option, at)


def _section(config: Any, section: str) -> Any:
    for part in section.split("."):
        config = getattr(config, part)
    return config


def drawn_from(config: Any, dataset: str) -> list[str]:
    """The pairs datasets that one is made from."""
    spec = config.pairs[dataset]
    if isinstance(spec, CounterfactualPairs):
        return [spec.chosen_of, spec.rejected_of]
    if isinstance(spec, MixturePairs):
        return [spec.base]
    if isinstance(spec, GapPairs):
        return [each for each in (spec.chosen_above, spec.rejected_below) if each]
    return []


def rooted(config: Any, dataset: str) -> Any:
    """The entry over responses, with a prompt set and a scorer, that a pairs dataset goes back to."""
    spec = config.pairs[dataset]
    while not hasattr(spec, "prompt_set"):
        spec = config.pairs[spec.chosen_of if isinstance(spec, CounterfactualPairs) else spec.base]
    return spec


def _pairs_in_a_circle(config: Any) -> Iterator[Problem]:
    def goes_back_to(start: str) -> bool:
        seen, ahead = set(), drawn_from(config, start)
        while ahead:
            each = ahead.pop()
            if each == start:
                return True
            if each not in seen:
                seen.add(each)
                ahead += drawn_from(config, each)
        return False

    for name in config.pairs:
        if goes_back_to(name):
            yield ("pairs", name), f"{name} is made from itself", "name datasets that do not lead back to it"


def _pairs_that_do_not_fit(config: Any) -> Iterator[Problem]:
    for name in config.pairs:
        mine = rooted(config, name)
        for other in drawn_from(config, name):
            theirs = rooted(config, other)
            if (mine.prompt_set, mine.scorer) != (theirs.prompt_set, theirs.scorer):
                yield (
                    ("pairs", name),
                    f"is of {mine.prompt_set} by {mine.scorer}, and {other} of {theirs.prompt_set} by {theirs.scorer}",
                    "use datasets over one prompt set, by one scorer",
                )
        spec = config.pairs[name]
        if isinstance(spec, MixturePairs) and config.samples[spec.samples].prompt_set != mine.prompt_set:
            yield (
                ("pairs", name, "samples"),
                f"{spec.samples} answers {config.samples[spec.samples].prompt_set}, the base is of {mine.prompt_set}",
                f"use samples of prompt set {mine.prompt_set}",
            )
        if isinstance(spec, GapPairs):
            merged = config.prompt_sets[spec.prompt_set].sources
            for index, source in enumerate(spec.sources):
                if source not in merged:
                    yield (
                        ("pairs", name, "sources", index),
                        f"{source} is no source of prompt set {spec.prompt_set}",
                        f"use some of {', '.join(merged)}",
                    )


def _sample_sets_named_like_a_generator(config: Any) -> Iterator[Problem]:
    for name, samples in config.samples.items():
        if name in [slug(each) for each in config.prompt_sets[samples.prompt_set].generators]:
            yield (
                ("samples", name),
                f"is also the family of a generator of prompt set {samples.prompt_set}",
                "give the sample set another name",
            )


def _scorers_that_learn_from_themselves(config: Any) -> Iterator[Problem]:
    for name, scorer in config.scorers.items():
        for index, dataset in enumerate(scorer.pairs if isinstance(scorer, ScratchScorer) else []):
            if rooted(config, dataset).scorer == name:
                yield (
                    ("scorers", name, "pairs", index),
                    f"{name} learns from pairs that it made",
                    "choose another scorer",
                )


def _tasks_without_their_data(config: Any) -> Iterator[Problem]:
    for name, suite in config.evaluation.suites.items():
        if isinstance(suite, HarnessSuite) and (suite.data == "world") != suite.task.startswith("world_"):
            yield (
                ("evaluation", "suites", name, "task"),
                f"task {suite.task} does not go with data: {suite.data}",
                "world_* tasks take data: world, all others a local file or none",
            )


def _runs_from_code_that_is_not_ours(config: Any) -> Iterator[Problem]:
    study = config.studies.what_matters
    if study is not None and getattr(config.policies[study.policy], "trust_remote_code", False):
        yield (
            ("policies", study.policy, "trust_remote_code"),
            f"runs start from {study.policy}, and what they train could not carry its code",
            "start from a model that transformers knows; other policies may bring code, to be sampled and scored",
        )


def _runs_that_cannot_be(config: Any) -> Iterator[Problem]:
    study = config.studies.what_matters
    if study is None:
        return
    at = ("studies", "what_matters")
    if study.headline not in study.benchmarks and study.table3:
        yield (
            (*at, "headline"),
            f"{study.headline} is none of the benchmarks",
            f"use one of {', '.join(study.benchmarks)}",
        )
    offline = {"variant": study.variant}
    if study.table2:
        offline["table2.continual_sft"] = study.table2.continual_sft
        if config.training.variant(study.table2.online_dpo).online is None:
            yield (
                ("training", "variants", study.table2.online_dpo),
                "stands for online DPO and is not online",
                "add an online section to it",
            )
    for field, name in offline.items():
        if config.training.variant(name).online is not None:
            yield (*at, *field.split(".")), f"variant {name} is online", "use an offline one"
    longest = config.policies[study.policy].max_length
    for name in dict.fromkeys([*offline.values(), *([study.table2.online_dpo] if study.table2 else [])]):
        wanted = config.training.variant(name).max_length
        if wanted > longest:
            yield (
                ("training", "max_length"),
                f"runs of {wanted} tokens need more than the {longest} of policy {study.policy}",
                f"lower it, or raise policies.{study.policy}.max_length",
            )
    if study.table4:
        for half in ("high", "low"):
            entry = getattr(study.table4, half)
            for index, dataset in enumerate(entry.mixtures):
                spec = config.pairs[dataset]
                if not isinstance(spec, MixturePairs) or spec.base != entry.base:
                    yield (
                        (*at, "table4", half, "mixtures", index),
                        f"{dataset} is no mixture over {entry.base}",
                        "name pairs of kind mixture with that base",
                    )


CHECKS: tuple[Callable[[Any], Iterator[Problem]], ...] = (
    _pairs_that_do_not_fit,
    _sample_sets_named_like_a_generator,
    _scorers_that_learn_from_themselves,
    _tasks_without_their_data,
    _runs_from_code_that_is_not_ours,
    _runs_that_cannot_be,
)
