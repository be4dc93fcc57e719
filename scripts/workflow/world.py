"""Targets of the didactic world besides the studies: figures of its base policies, scorers and rankers."""

from functools import cached_property

from scripts.workflow.files import of_kind
from scripts.workflow.needs import Needs


class World:
    """The targets of ``snakemake world``; empty if any text is not from the didactic world."""

    def __init__(self, needs: Needs) -> None:
        self.needs = needs
        self.atlas = needs.atlas

    @cached_property
    def targets(self) -> list[str]:
        if not self.needs.on_the_world:
            return []
        figures = ["base_policies", *(f"{scorer}_agreement" for scorer in of_kind(self.atlas.scorers, "scratch"))]
        drawn = [f"results/figures/world/{figure}.{kind}" for figure in figures for kind in ("svg", "png")]
        return drawn + self.rankings + [f"results/tables/world/{name}.csv" for name in self.sample_sets]

    @cached_property
    def sample_sets(self) -> list[str]:
        """The sample sets that any policy may draw: they show what each base policy can do."""
        return [
            name
            for name, entry in self.atlas.samples.items()
            if entry.policy is None and "oracle" in self.atlas.scorers and not self._is_watched(name)
        ]

    def _is_watched(self, sample_set: str) -> bool:
        return sample_set in self.atlas.training.watch.values()

    def prompt_set(self, sample_set: str) -> str:
        return self.atlas.samples[sample_set].prompt_set

    def samples(self, sample_set: str) -> list[str]:
        """Every base policy's samples of a sample set."""
        return [self.needs.files.samples_for(sample_set, policy) for policy in self.atlas.policies]

    def sample_scores(self, sample_set: str) -> list[str]:
        """The oracle's scores of them."""
        files = self.needs.files
        families = [files.sampled_family(sample_set, policy) for policy in self.atlas.policies]
        return files.scores("oracle", families)

    def data_scores(self, sample_set: str) -> list[str]:
        """The oracle's scores of the responses that came with the prompts of a sample set."""
        return self.needs.files.scores("oracle", self.needs.files.families(self.prompt_set(sample_set)))

    @cached_property
    def suites(self) -> list[str]:
        """Suites shared by all policies that runs start from: those on which a study evaluates each of them."""
        measured = [[s for p, s in self.needs.measured if p == policy] for policy in self.atlas.policies]
        return [suite for suite in self.needs.suites if all(suite in each for each in measured if each)]

    @property
    def asked(self) -> list[str]:
        """The lm-eval suites among them."""
        return [suite for suite in self.suites if suite in self.needs.suites_of("harness")]

    @cached_property
    def evaluations(self) -> list[str]:
        """Evaluations of every policy that runs may start from on these suites."""
        return [f"results/evaluations/{policy}/{suite}.json" for policy in self.atlas.policies for suite in self.suites]

    @cached_property
    def rankings(self) -> list[str]:
        """The rankings, by each ranker trained here, of the pairs that it learnt from."""
        return [
            f"results/rankings/{ranker}/{dataset}.parquet"
            for ranker in of_kind(self.atlas.rankers, "scratch")
            for dataset in self.atlas.rankers[ranker].pairs
        ]

    def scores(self, scorer: str) -> list[str]:
        """A scorer's scores of all families behind the studies."""
        families = [family for name in self.needs.prompt_sets for family in self.needs.files.families(name)]
        return self.needs.files.scores(scorer, families)
