"""Checks that suites and runs fit the data and scorers that they name."""

from collections.abc import Callable, Iterator
from typing import Any

from scripts.lib.config.behind import depends_on_start, over
from scripts.lib.config.endpoints import Paid
from scripts.lib.config.evaluation import BoundarySuite, HarnessSuite, PreferenceSuite, RewardSuite, ScorerJudge
from scripts.lib.config.scorers import AnnotationScorer
from scripts.lib.config.studies import Problem


def _tasks_without_their_data(config: Any) -> Iterator[Problem]:
    for name, suite in config.evaluation.suites.items():
        if isinstance(suite, HarnessSuite) and (suite.data == "world") != suite.task.startswith("world_"):
            yield (
                ("evaluation", "suites", name, "task"),
                f"task {suite.task} does not go with data: {suite.data}",
                "world_* tasks take data: world, all others a local file or none",
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
        elif isinstance(config.scorers[online.scorer], Paid):
            yield (
                at,
                f"{online.scorer} is paid by the answer, and a run has no end of new ones",
                "name another scorer, or a reward model of pairs that it scored",
            )


def _judges_that_cannot_be(config: Any) -> Iterator[Problem]:
    for name, suite in config.evaluation.suites.items():
        judge = getattr(suite, "judge", None)
        if isinstance(judge, ScorerJudge) and isinstance(config.scorers[judge.scorer], Paid):
            yield (
                ("evaluation", "suites", name, "judge", "scorer"),
                f"{judge.scorer} is paid by the answer, and would grade both sides of each pair",
                "use a judge of kind openai, or a suite of kind reward",
            )


CHECKS: tuple[Callable[[Any], Iterator[Problem]], ...] = (
    _tasks_without_their_data,
    _runs_that_cannot_be_watched,
    _rewards_that_cannot_be,
    _judges_that_cannot_be,
    _scorers_of_runs,
    _held_out_pairs_that_are_not,
    _boundaries_that_cannot_be,
)
