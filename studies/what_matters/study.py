"""The study as seen by the workflow: what to evaluate, and how its tables, figures, claims and section are made."""

from dataclasses import replace
from functools import cached_property

from scripts.lib.names import PairsName
from scripts.lib.study import Step, Study, as_json
from scripts.report.labels import benchmark, listed
from studies.what_matters import layout
from studies.what_matters.config import Config

ROOM = "studies.what_matters"
PUBLISHED = "studies/what_matters/published"
WITH_PAIRS = ("table3", "table4")
"""Tables that show the scores of their pairs."""
IN_POINTS = ("harness", "win_rate")
"""Kinds of suites whose values are shares of questions, of which a mean can be taken."""
LISTED = 4
"""The most datasets that the lead lists."""


class Room(Study):
    """What Matters in Data for DPO?"""

    title = "What matters in data for DPO?"
    spec: Config

    @property
    def lead(self) -> str:
        names = [entry.name for entry in self.spec.datasets]
        data = listed(names) if len(names) <= LISTED else f"{len(names)} datasets"
        seeds = "1 seed" if len(self.spec.seeds) == 1 else f"{len(self.spec.seeds)} seeds"
        suites = ", ".join(benchmark(name) for name in self.spec.benchmarks)
        return f"{data}: {self.spec.variant} from the policy {self.spec.policy}, {seeds}, measured by {suites}."

    @cached_property
    def of_runs(self) -> list[str]:
        """The tables whose rows are runs."""
        return layout.tables(self.spec)

    @cached_property
    def measured(self) -> list[tuple[str, str]]:
        policies = layout.runs_of(self.of_runs, self.spec, self.atlas.pairs)
        return [(policy, suite) for policy in policies for suite in self.spec.benchmarks]

    @cached_property
    def names(self) -> dict[str, PairsName]:
        named = layout.names(self.spec, self.atlas.pairs)
        return {dataset: named[dataset] for dataset in layout.pairs_of(self.of_runs, self.spec, self.atlas.pairs)}

    @cached_property
    def tables(self) -> dict[str, Step]:
        of_runs = {name: self._table_of_runs(name) for name in self.of_runs}
        return of_runs | {"table5": self._table5(), "verdicts": self._judging(f"{ROOM}.tables.verdicts")}

    def _table_of_runs(self, table: str) -> Step:
        datasets = layout.pairs_of([table], self.spec, self.atlas.pairs) if table in WITH_PAIRS else []
        pairs = [f"results/pairs/{dataset}.parquet" for dataset in datasets]
        evaluations = self.evaluations(layout.runs_of([table], self.spec, self.atlas.pairs))
        published = f"{PUBLISHED}/{table}.csv"
        return Step(
            f"{ROOM}.tables.{table}",
            [*evaluations, *pairs, published],
            [
                *("--spec", self.spec.model_dump_json()),
                *("--pairs", as_json(layout.specs_of(table, self.spec, self.atlas.pairs))),
                *("--evaluations", "results/evaluations"),
                *("--published", published),
                *(["--pairs-tables", *pairs] if pairs else []),
            ],
        )

    def _table5(self) -> Step:
        pairs = [f"results/pairs/{dataset}.parquet" for dataset in self.names]
        published = f"{PUBLISHED}/table5.csv"
        return Step(
            f"{ROOM}.tables.table5",
            [*pairs, published],
            ["--pairs", *pairs, "--names", as_json(self.names), "--published", published],
        )

    @property
    def made(self) -> list[str]:
        return [self.table("theory"), self.table("figure1")]

    @cached_property
    def figures(self) -> dict[str, Step]:
        drawn = {"headline": "table1", "benchmarks": "table1", "figure1": "figure1"}
        drawn |= {table: table for table in self.of_runs if table != "table1"}
        if len(self.spec.benchmarks) == 1:
            del drawn["benchmarks"]  # the headline shows it
        steps = {
            figure: Step(f"{ROOM}.figures.{figure}", [self.table(table)], ["--table", self.table(table)])
            for figure, table in drawn.items()
        }
        headline = steps["headline"]
        steps["headline"] = replace(headline, arguments=[*headline.arguments, "--benchmarks", *self.in_points])
        return steps

    @property
    def in_points(self) -> list[str]:
        """The benchmarks that one mean can be taken of: all in points of questions answered, or else all."""
        suites = self.atlas.evaluation.suites
        found = [name for name in self.spec.benchmarks if suites[name].kind in IN_POINTS]
        return found or list(self.spec.benchmarks)

    @property
    def claims(self) -> Step:
        judging = self._judging(f"{ROOM}.claims")
        tables = ["--tables", f"results/tables/{self.name}"]
        return Step(judging.module, [*judging.reads, self.table("theory")], [*judging.arguments, *tables])

    def _judging(self, module: str) -> Step:
        """A step that judges the claims about runs."""
        specs = {}
        for table in self.of_runs:
            specs |= layout.specs_of(table, self.spec, self.atlas.pairs)
        return Step(
            module,
            [*self.evaluations(), *(f"{PUBLISHED}/{table}.csv" for table in self.of_runs)],
            [
                *("--spec", self.spec.model_dump_json()),
                *("--pairs", as_json(specs)),
                *("--evaluations", "results/evaluations"),
                *("--published", PUBLISHED),
            ],
        )

    @property
    def section(self) -> Step:
        tables = [self.table(name) for name in [*self.tables, "theory"] if name != "verdicts"]
        figures = [self.figure(name)[0] for name in self.figures]
        return Step(f"{ROOM}.section", [*tables, *figures], ["--tables", *tables, "--figures", *figures])
