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
        return drawn + self.rankings

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
        """Each ranker's rankings of the pairs that it could have been trained on."""
        return [
            f"results/rankings/{ranker}/{dataset}.parquet"
            for ranker, entry in self.atlas.rankers.items()
            for dataset in entry.pairs
        ]

    def scores(self, scorer: str) -> list[str]:
        """A scorer's scores of all families behind the studies."""
        families = [family for name in self.needs.prompt_sets for family in self.needs.files.families(name)]
        return self.needs.files.scores(scorer, families)
