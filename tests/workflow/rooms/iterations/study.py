"""off-off, off-on, on-off and on-on, for every policy and variant: the smallest study with lineages."""

from functools import cached_property
from itertools import product

from scripts.lib.lineage import Run
from scripts.lib.names import PairsName
from scripts.lib.study import Step, Study


class Room(Study):
    title = "Two iterations"

    @property
    def lead(self) -> str:
        return f"{len(self.runs)} policies trained twice."

    @cached_property
    def runs(self) -> list[str]:
        """The second iteration's runs."""
        spec, found = self.spec, []
        for policy, variant, seed in product(spec.policies, spec.variants, spec.seeds):
            for first, second in product((spec.off_policy, spec.on_policy), repeat=2):
                start = Run(policy, first[0], variant, seed).name
                found.append(Run(start, second[1], variant, seed).name)
        return found

    @cached_property
    def measured(self) -> list[tuple[str, str]]:
        return [(run, suite) for run in self.runs for suite in self.spec.suites]

    @cached_property
    def names(self) -> dict[str, PairsName]:
        named = dict.fromkeys([*self.spec.off_policy, *self.spec.on_policy])
        return {name: PairsName(dataset=name, chosen="chosen", rejected="rejected") for name in named}

    @cached_property
    def tables(self) -> dict[str, Step]:
        return {
            "iterations": Step("studies.iterations.table", self.evaluations(), ["--evaluations", *self.evaluations()])
        }

    @property
    def section(self) -> Step:
        tables = [self.table(name) for name in self.tables]
        return Step("scripts.report.section", tables, ["--title", self.title, "--tables", *tables])
