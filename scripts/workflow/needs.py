"""What the studies need: policies to evaluate, the runs behind them, and what those are made from."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from scripts.lib import lineage
from scripts.lib.config.behind import entry_of, origin_of, supervised_behind
from scripts.lib.config.root import AtlasConfig
from scripts.lib.lineage import Run, pairs_for
from scripts.lib.names import PairsName
from scripts.lib.study import Study, Work
from scripts.workflow.files import Files, each_below_its_own, of_kind
from scripts.workflow.lineages import runs_behind


def distinct(items: Iterable) -> list:
    """The items without duplicates, in order of first appearance."""
    return list(dict.fromkeys(items))


class Needs:
    """What some (policy, suite) pairs need, without duplicates, in order of first use."""

    def __init__(self, atlas: AtlasConfig, measured: Sequence[tuple[str, str]]) -> None:
        self.atlas = atlas
        self.files = Files(atlas)
        self.measured = distinct(measured)

    @cached_property
    def policies(self) -> list[str]:
        """The policies and runs to evaluate."""
        return distinct(policy for policy, _ in self.measured)

    @cached_property
    def suites(self) -> list[str]:
        return distinct(suite for _, suite in self.measured)

    def suites_of(self, *kinds: str) -> list[str]:
        return [suite for suite in self.suites if self.atlas.evaluation.suites[suite].kind in kinds]

    def asked(self, policy: str) -> list[str]:
        """The lm-eval suites on which a policy is evaluated."""
        return [suite for of, suite in self.measured if of == policy and suite in self.suites_of("harness")]

    @cached_property
    def runs(self) -> list[Run]:
        """Every run that is evaluated or that another one starts from."""
        return runs_behind(self.policies)

    @cached_property
    def supervised(self) -> list[str]:
        """The policies that learn from conversations before they are sampled, evaluated or trained further."""
        samples = [*self.sampled, *self.compared, *self.watched]
        policies = [*self.policies, *(lineage.sampled_policy(self.atlas, family) for family in samples)]
        behind = [supervised_behind(self.atlas, policy) for policy in policies]
        return distinct(policy for line in behind for policy in line)

    @cached_property
    def datasets(self) -> list[str]:
        """The pairs datasets that the runs train on, by their names in the configuration."""
        return distinct(lineage.without_draw(run.pairs) for run in self.runs)

    @cached_property
    def pairs(self) -> list[str]:
        """The same, once for each start if a dataset depends on it."""
        return distinct(lineage.without_draw(self.pairs_of(run)) for run in self.runs)

    @cached_property
    def drawn_pairs(self) -> list[str]:
        """The same, draw by draw."""
        return distinct(self.pairs_of(run) for run in self.runs)

    def pairs_of(self, run: Run) -> str:
        return pairs_for(self.atlas, run.pairs, run.start)

    @cached_property
    def pairs_files(self) -> list[str]:
        return [f"results/pairs/{name}.parquet" for name in self.drawn_pairs]

    @property
    def scored_pairs(self) -> list[str]:
        """Those of the pairs that have scores, and not labels alone."""
        return [name for name in self.pairs if origin_of(self.atlas, lineage.without_start(name)).kind != "labelled"]

    @cached_property
    def training(self) -> list[str]:
        """The runs' training tables, one row per step."""
        return [f"results/training/{run.name}.parquet" for run in self.runs]

    @cached_property
    def references(self) -> list[str]:
        """The log-probs that the runs use as references."""
        return distinct(path for run in self.runs for path in self.files.references(run.pairs, run.start))

    def scores_of(self, run: Run) -> list[str]:
        """The scores that a run's pairs are made from."""
        return self.files.scores_behind(self.pairs_of(run))

    @cached_property
    def scores(self) -> list[str]:
        return distinct(path for run in self.runs for path in self.scores_of(run))

    @cached_property
    def sampled(self) -> list[str]:
        """The families of the sample sets that the runs' pairs may contain."""
        return distinct(
            lineage.sampled_family(self.atlas, name, run.start)
            for run in self.runs
            for name in lineage.sample_sets_behind(self.atlas, run.pairs)
        )

    @cached_property
    def watched(self) -> list[str]:
        """The families of the samples that the runs watch."""
        named = [(lineage.watched_samples(self.atlas, run.pairs), run.start) for run in self.runs]
        return distinct(lineage.sampled_family(self.atlas, name, start) for name, start in named if name)

    @cached_property
    def samples(self) -> list[str]:
        return [self.files.samples(family) for family in self.sampled]

    @cached_property
    def compared(self) -> list[str]:
        """The families of samples that boundary suites compare."""
        boundaries = self.suites_of("boundary")
        return distinct(
            lineage.sampled_family(self.atlas, self.atlas.evaluation.suites[suite].samples, policy)
            for policy, suite in self.measured
            if suite in boundaries
        )

    @cached_property
    def prompt_sets(self) -> list[str]:
        return self.files.prompt_sets_behind(self.datasets)

    @cached_property
    def sources(self) -> list[str]:
        return distinct(source for name in self.prompt_sets for source in self.atlas.prompt_sets[name].sources)

    @cached_property
    def tiers(self) -> list[str]:
        """``<prompt set>.<scorer>`` of the runs' pairs of kind tiers."""
        tiered = [self.atlas.pairs[name] for name in self.datasets if self.atlas.pairs[name].kind == "tiers"]
        return distinct(f"{pairs.prompt_set}.{pairs.scorer}" for pairs in tiered)

    @cached_property
    def learned_scorers(self) -> list[str]:
        """The reward models trained here that score the runs' pairs or samples, or judge a suite."""
        asked = {lineage.scorer_behind(self.atlas, dataset) for dataset in self.datasets}
        judges = [self.atlas.evaluation.suites[suite].judge for suite in self.suites_of("win_rate")]
        asked |= {judge.scorer for judge in judges if judge.kind == "scorer"}
        asked |= {self.atlas.evaluation.suites[suite].scorer for suite in self.suites_of("reward", "boundary")}
        asked |= {self.files.training_scorer(run.variant) for run in self.runs}
        return [name for name in of_kind(self.atlas.scorers, "scratch") if name in asked]

    @cached_property
    def on_the_world(self) -> bool:
        """Whether all text is from the didactic world."""
        return bool(self.sources) and all(self.atlas.sources[each].kind == "world" for each in self.sources)

    # Inputs of the sharing counts: scripts/studies/sharing.py

    @cached_property
    def of_each_run(self) -> list[dict[str, Any]]:
        """For each run: its pairs, and the scores that these are made from."""
        return [
            {"pairs": f"results/pairs/{self.pairs_of(run)}.parquet", "scores": self.scores_of(run)} for run in self.runs
        ]

    @cached_property
    def samples_taken_whole(self) -> dict[str, list[str]]:
        """Pairs file -> the samples that making it alone would draw in full; a mixture draws only a share."""
        found = {}
        for run in self.runs:
            sets = lineage.sample_sets_behind(self.atlas, run.pairs)
            if sets and not lineage.is_mixture(self.atlas, run.pairs):
                families = [lineage.sampled_family(self.atlas, name, run.start) for name in sets]
                found[f"results/pairs/{self.pairs_of(run)}.parquet"] = [self.files.samples(each) for each in families]
        return found

    @cached_property
    def samples_per_prompt(self) -> dict[str, int]:
        """Pairs file of each mixture -> the samples per prompt that Algorithm 1 draws."""
        return {
            f"results/pairs/{self.pairs_of(run)}.parquet": self.atlas.samples[
                entry_of(self.atlas, run.pairs).samples
            ].samples
            for run in self.runs
            if lineage.is_mixture(self.atlas, run.pairs)
        }


class Studies:
    """The active studies, one by one and together."""

    def __init__(self, atlas: AtlasConfig, rooms: Mapping[str, Study]) -> None:
        self.atlas = atlas
        self.rooms = rooms
        self.all = Needs(atlas, [each for room in rooms.values() for each in room.measured])
        self._needs = {name: Needs(atlas, room.measured) for name, room in rooms.items()}

    def of(self, study: str) -> Needs:
        return self._needs[study]

    @property
    def with_claims(self) -> list[str]:
        return [name for name, room in self.rooms.items() if room.claims]

    @property
    def headings(self) -> list[dict[str, str]]:
        """Each study's name, title and lead for the page."""
        return [{"name": name, "title": room.title, "lead": room.lead} for name, room in self.rooms.items()]

    @property
    def tables(self) -> str:
        """A wildcard constraint: the tables that a study's own step makes, each in that study's folder alone."""
        return each_below_its_own({name: room.tables for name, room in self.rooms.items()})

    @property
    def figures(self) -> str:
        return each_below_its_own({name: room.figures for name, room in self.rooms.items()})

    @cached_property
    def boundaries(self) -> list[str]:
        """The records of all boundary suites: of the policies that studies measure, or that their samples name."""
        suites = self.atlas.evaluation.suites
        named = [(self.atlas.samples[suites[suite].samples].policy, suite) for suite in of_kind(suites, "boundary")]
        measured = [(policy, suite) for policy, suite in self.all.measured if suite in of_kind(suites, "boundary")]
        asked = distinct([*((policy, suite) for policy, suite in named if policy), *measured])
        return [f"results/evaluations/{policy}/{suite}.json" for policy, suite in asked]

    @property
    def work(self) -> list[Work]:
        """What models do for the studies' own rules."""
        return [each for room in self.rooms.values() for each in room.work]

    def targets(self, study: str) -> list[str]:
        """The final files of one study; empty for an inactive study."""
        if (room := self.rooms.get(study)) is None:
            return []
        figures = [*room.figures, *self.common_figures(study)]
        return [
            *(room.table(name) for name in [*room.tables, *(["sharing"] if self.of(study).runs else [])]),
            *(path for name in figures for path in room.figure(name)),
            *([f"results/claims/{study}.csv"] if room.claims else []),
            f"results/sections/{study}.html",
            *room.made,
        ]

    def common_figures(self, study: str) -> list[str]:
        """The figures of training data and runs that every study has; made by rules/studies.smk."""
        needs = self.of(study)
        return [
            *(["tier_scores"] if needs.tiers else []),
            *(["pair_scores"] if needs.scored_pairs else []),
            *(["training_curves"] if needs.runs else []),
        ]

    def names(self, study: str) -> dict[str, PairsName]:
        """Pairs dataset -> its name in figures; one that depends on a start is named after it too."""

        def named(pairs: str) -> PairsName:
            name, start = self.rooms[study].names[lineage.without_start(pairs)], lineage.start_in(pairs)
            return name.of_start(start) if start else name

        return {pairs: named(pairs) for pairs in self.of(study).pairs}

    def titles(self, prompt_sets: Sequence[str]) -> list[str]:
        """The studies' names for the data of some prompt sets."""
        called: dict[str, str] = {}
        for room in self.rooms.values():
            for dataset, name in room.names.items():
                called.setdefault(lineage.prompt_set_behind(self.atlas, dataset), name.dataset)
        return [called.get(name, name) for name in prompt_sets]
