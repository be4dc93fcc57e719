"""Checks across parts of the configuration: names must refer to an entry, and parts must fit together."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from scripts.lib.config.base import Reference, Spec
from scripts.lib.config.evaluation import BoundarySuite, HarnessSuite, PreferenceSuite, RewardSuite
from scripts.lib.config.pairs import (
    BlendPairs,
    CounterfactualPairs,
    GapPairs,
    LabelledPairs,
    MixturePairs,
    ScenarioPairs,
    WithoutPairs,
)
from scripts.lib.config.scorers import AnnotationScorer, ScratchRanker, ScratchScorer
from scripts.lib.config.sources import LabelledSource
from scripts.lib.config.studies import Location, Problem
from scripts.lib.families import slug


def problems(config: Any) -> list[Problem]:
    """Every contradiction between parts of an AtlasConfig; parts are checked only once all names are known."""
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
    """Every field marked as a Reference, as (location, the name in it, the section that it refers to)."""
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
    for name, spec in config.pairs.items():
        prompt_set, scorer = over(config, name)
        for other in drawn_from(config, name):
            theirs, their_scorer = over(config, other)
            if (prompt_set, scorer) != (theirs, their_scorer):
                yield (
                    ("pairs", name),
                    f"is of {prompt_set} by {scorer}, and {other} of {theirs} by {their_scorer}",
                    "use datasets over one prompt set, by one scorer",
                )
        if isinstance(spec, MixturePairs):
            yield from _mixtures_that_do_not_fit(config, name, prompt_set, scorer)
        if isinstance(spec, BlendPairs):
            yield from _blends_that_do_not_fit(config, name)
        if (of := getattr(spec, "of", None)) and (whose := config.samples[spec.samples].policy):
            yield (
                ("pairs", name, "of"),
                f"{of}'s samples, and {spec.samples} are those of {whose}",
                f"take out of, or the policy of samples.{spec.samples}",
            )
        if isinstance(spec, ScenarioPairs):
            yield from _scenarios_that_do_not_fit(config, name)
        if strangers := [each for each in getattr(spec, "sources", []) if each not in _merged(config, prompt_set)]:
            yield (
                ("pairs", name, "sources", spec.sources.index(strangers[0])),
                f"{strangers[0]} is no source of prompt set {prompt_set}",
                f"use some of {', '.join(_merged(config, prompt_set))}",
            )


def _merged(config: Any, prompt_set: str) -> list[str]:
    return config.prompt_sets[prompt_set].sources


def _mixtures_that_do_not_fit(config: Any, name: str, prompt_set: str, scorer: str | None) -> Iterator[Problem]:
    samples = config.pairs[name].samples
    if config.samples[samples].prompt_set != prompt_set:
        yield (
            ("pairs", name, "samples"),
            f"{samples} answers {config.samples[samples].prompt_set}, the base is of {prompt_set}",
            f"use samples of prompt set {prompt_set}",
        )
    if scorer is None:
        yield (
            ("pairs", name, "base"),
            f"no scorer made {config.pairs[name].base}, so the best of the samples cannot be told",
            "mix into pairs that a scorer made",
        )


def _blends_that_do_not_fit(config: Any, name: str) -> Iterator[Problem]:
    spec, at = config.pairs[name], ("pairs", name)
    for field, own in {"off_policy": False, "on_policy": True}.items():
        dataset = getattr(spec, field)
        if depends_on_start(config, dataset) != own:
            yield (
                (*at, field),
                f"{dataset} is {'not ' if own else ''}sampled from each start",
                f"name pairs {'of a sample set without a policy' if own else 'that others wrote'}",
            )
    suite = config.evaluation.suites[spec.boundary]
    if not isinstance(suite, BoundarySuite):
        yield (*at, "boundary"), f"{spec.boundary} is a suite of kind {suite.kind}", "name one of kind boundary"
    elif whose := config.samples[suite.samples].policy:
        yield (
            (*at, "boundary"),
            f"the samples of {spec.boundary}, {suite.samples}, are those of {whose} alone",
            f"leave the policy out of samples.{suite.samples}: it is then sampled from each start",
        )


def _scenarios_that_do_not_fit(config: Any, name: str) -> Iterator[Problem]:
    spec = config.pairs[name]
    if config.samples[spec.samples].prompt_set != spec.prompt_set:
        yield (
            ("pairs", name, "samples"),
            f"{spec.samples} answers {config.samples[spec.samples].prompt_set}, not {spec.prompt_set}",
            f"use samples of prompt set {spec.prompt_set}",
        )
    known = config.prompt_sets[spec.prompt_set].generators
    for field in ("solutions", "weaker"):
        if getattr(spec, field) not in known:
            yield (
                ("pairs", name, field),
                f"{getattr(spec, field)} is no generator of prompt set {spec.prompt_set}",
                f"use one of {', '.join(known) or 'those that you name under its generators'}",
            )


def _labels_that_sources_do_not_have(config: Any) -> Iterator[Problem]:
    kinds = ", ".join(get_args(each.model_fields["kind"].annotation)[0] for each in get_args(LabelledSource))
    for name, spec in config.pairs.items():
        if isinstance(spec, LabelledPairs):
            for source in spec.sources or _merged(config, spec.prompt_set):
                if not isinstance(config.sources[source], LabelledSource):
                    yield (
                        ("pairs", name, "sources" if spec.sources else "prompt_set"),
                        f"source {source} of kind {config.sources[source].kind} brings no preferences",
                        f"name sources of kind {kinds}; responses with scores make pairs of kind tiers",
                    )


def _sample_sets_named_like_a_generator(config: Any) -> Iterator[Problem]:
    for name, samples in config.samples.items():
        if name in [slug(each) for each in config.prompt_sets[samples.prompt_set].generators]:
            yield (
                ("samples", name),
                f"is also the family of a generator of prompt set {samples.prompt_set}",
                "give the sample set another name",
            )


def _classifiers_that_cannot_learn(config: Any) -> Iterator[Problem]:
    learners = [("scorers", name, each) for name, each in config.scorers.items() if isinstance(each, ScratchScorer)]
    learners += [("rankers", name, each) for name, each in config.rankers.items() if isinstance(each, ScratchRanker)]
    for section, name, spec in learners:
        for index, dataset in enumerate(spec.pairs):
            at = (section, name, "pairs", index)
            origin = origin_of(config, dataset)
            if name == getattr(origin, section.removesuffix("s"), None):
                yield at, f"{name} learns from pairs that it made", f"choose another {section.removesuffix('s')}"
            elif depends_on_start(config, dataset):
                yield at, f"{dataset} is another dataset for every start of a run", "name a policy in its sample set"


def _tasks_without_their_data(config: Any) -> Iterator[Problem]:
    for name, suite in config.evaluation.suites.items():
        if isinstance(suite, HarnessSuite) and (suite.data == "world") != suite.task.startswith("world_"):
            yield (
                ("evaluation", "suites", name, "task"),
                f"task {suite.task} does not go with data: {suite.data}",
                "world_* tasks take data: world, all others a local file or none",
            )


def _scorers_of_runs(config: Any) -> Iterator[Problem]:
    for name in config.training.variants:
        online = config.training.variant(name).online
        if online is None or online.scorer is None:
            continue
        at = ("training", "variants", name, "online", "scorer")
        if online.scorer not in config.scorers:
            yield at, f"no scorers {online.scorer!r}", f"use one of {', '.join(config.scorers) or 'none yet'}"
        elif isinstance(config.scorers[online.scorer], AnnotationScorer):
            yield (
                at,
                f"{online.scorer} came with the data and says nothing of responses that are made here",
                "name the oracle or a reward model",
            )


def _runs_that_cannot_be_watched(config: Any) -> Iterator[Problem]:
    for prompt_set, name in config.training.watch.items():
        at = ("training", "watch", prompt_set)
        if prompt_set not in config.prompt_sets:
            yield at, f"no prompt_sets {prompt_set!r}", f"use one of {', '.join(config.prompt_sets)}"
        elif config.samples[name].prompt_set != prompt_set:
            yield (
                at,
                f"{name} answers {config.samples[name].prompt_set}",
                f"name a sample set over {prompt_set}",
            )
        elif config.samples[name].policy is not None:
            yield (
                at,
                f"{name} is sampled from {config.samples[name].policy} alone",
                f"leave the policy out of samples.{name}: it is then sampled from each start",
            )


def _rewards_that_cannot_be(config: Any) -> Iterator[Problem]:
    for name, suite in config.evaluation.suites.items():
        if not isinstance(suite, RewardSuite):
            continue
        if isinstance(config.scorers[suite.scorer], AnnotationScorer):
            yield (
                ("evaluation", "suites", name, "scorer"),
                f"{suite.scorer} came with the data and says nothing of responses that are made here",
                "name a scorer of another kind",
            )
        if suite.samples_of and getattr(config.evaluation.suites[suite.samples_of], "sampling", None) is None:
            yield (
                ("evaluation", "suites", name, "samples_of"),
                f"{suite.samples_of} is no suite of kind win_rate or reward",
                "name one that is, or give data",
            )
        elif suite.samples_of and getattr(config.evaluation.suites[suite.samples_of], "samples_of", None):
            yield (
                ("evaluation", "suites", name, "samples_of"),
                f"{suite.samples_of} has no samples of its own",
                f"name {config.evaluation.suites[suite.samples_of].samples_of}, whose samples it scores",
            )


def _boundaries_that_cannot_be(config: Any) -> Iterator[Problem]:
    for name, suite in config.evaluation.suites.items():
        if not isinstance(suite, BoundarySuite):
            continue
        at, samples = ("evaluation", "suites", name), config.samples[suite.samples]
        off_policy, _ = over(config, suite.pairs)
        if samples.prompt_set != off_policy:
            yield (
                (*at, "samples"),
                f"{suite.samples} answers {samples.prompt_set}, the pairs are of {off_policy}",
                f"use samples of prompt set {off_policy}",
            )
        if samples.samples < 2:
            yield (
                ("samples", suite.samples, "samples"),
                f"suite {name} compares two samples a prompt, {suite.samples} has one",
                "draw two",
            )
        if depends_on_start(config, suite.pairs):
            yield (*at, "pairs"), f"{suite.pairs} is sampled from every start of a run", "name off-policy pairs"
        if suite.scorer and isinstance(config.scorers[suite.scorer], AnnotationScorer):
            yield (
                (*at, "scorer"),
                f"{suite.scorer} came with the data and says nothing of a policy's samples",
                "name the oracle, a reward model or a ranker",
            )


def _held_out_pairs_that_are_not(config: Any) -> Iterator[Problem]:
    for name, suite in config.evaluation.suites.items():
        if not isinstance(suite, PreferenceSuite | BoundarySuite):
            continue
        held_out, _ = over(config, suite.pairs)
        if depends_on_start(config, suite.pairs) and isinstance(suite, PreferenceSuite):
            yield (
                ("evaluation", "suites", name, "pairs"),
                f"{suite.pairs} is another dataset for every start of a run",
                "name a policy in its sample set",
            )
        if name in config.prompt_sets[held_out].unseen_by:
            yield (
                ("prompt_sets", held_out, "unseen_by"),
                f"holds out the prompts of {name}, which are its own",
                f"name {name} in the prompt sets that runs train on",
            )


def _studies_that_cannot_be(config: Any) -> Iterator[Problem]:
    for study in config.studies:
        spec = getattr(config, study, None)
        if spec is None:
            yield (
                ("studies", config.studies.index(study)),
                f"study {study} is on, and the configuration has no key {study}",
                f"add one, as in studies/{study}/, or take {study} out of the list",
            )
            continue
        for at, problem, remedy in spec.problems(config):
            yield (at[1:] if at[:1] == ("",) else (study, *at)), problem, remedy


CHECKS: tuple[Callable[[Any], Iterator[Problem]], ...] = (
    _pairs_that_do_not_fit,
    _sample_sets_named_like_a_generator,
    _labels_that_sources_do_not_have,
    _classifiers_that_cannot_learn,
    _tasks_without_their_data,
    _runs_that_cannot_be_watched,
    _rewards_that_cannot_be,
    _scorers_of_runs,
    _held_out_pairs_that_are_not,
    _boundaries_that_cannot_be,
    _studies_that_cannot_be,
)
