"""Checks that pairs datasets, sample sets, and what learns from them fit together."""

from collections.abc import Callable, Iterator
from typing import Any, get_args

from scripts.lib.config.behind import depends_on_start, drawn_from, origin_of, over
from scripts.lib.config.evaluation import BoundarySuite
from scripts.lib.config.pairs import BlendPairs, LabelledPairs, MixturePairs, ScenarioPairs
from scripts.lib.config.scorers import ScratchRanker, ScratchScorer
from scripts.lib.config.sources import LabelledSource
from scripts.lib.config.studies import Problem
from scripts.lib.families import slug


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


CHECKS: tuple[Callable[[Any], Iterator[Problem]], ...] = (
    _pairs_that_do_not_fit,
    _sample_sets_named_like_a_generator,
    _labels_that_sources_do_not_have,
    _classifiers_that_cannot_learn,
)
