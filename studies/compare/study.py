"""What the spine asks of the study: what to measure, and how its tables, its figure and its section are made."""

from functools import cached_property

from scripts.lib.lineage import prompt_set_behind
from scripts.lib.names import PairsName
from scripts.lib.study import Step, Study
from studies.compare import layout
from studies.compare.config import Config

ROOM = "studies.compare"
LISTED = 3
"""The most names that the lead lists."""


class Room(Study):
    """Pairs datasets against a baseline."""

    title = "Which pairs are better to train on?"
    spec: Config

    @property
    def lead(self) -> str:
        compared = [group.name for group in layout.candidates(self.spec)]
        names = ", ".join(compared) if len(compared) <= LISTED else f"{len(compared)} sets of runs"
        seeds = "1 seed" if len(self.spec.seeds) == 1 else f"{len(self.spec.seeds)} seeds"
        variants = ", ".join(self.spec.variants)
        against = layout.baseline(self.spec).name
        return f"{names} against {against}: {variants} from the policy {self.spec.policy}, {seeds}."

    @cached_property
    def measured(self) -> list[tuple[str, str]]:
        groups = [layout.start(self.spec), *layout.trained(self.spec)]
        return [(policy, suite) for group in groups for policy in group.policies for suite in self.spec.suites]

    @cached_property
    def names(self) -> dict[str, PairsName]:
        """Each by its own name, under its prompt set."""
        return {
            name: PairsName(dataset=prompt_set_behind(self.atlas, name), chosen=name, rejected=name)
            for name in self.spec.datasets
        }

    @cached_property
    def tables(self) -> dict[str, Step]:
        arguments = ["--spec", self.spec.model_dump_json(), "--evaluations", "results/evaluations"]
        return {table: Step(f"{ROOM}.{table}", self.evaluations(), arguments) for table in ("comparison", "results")}

    @cached_property
    def figures(self) -> dict[str, Step]:
        table = self.table("comparison")
        return {"forest": Step(f"{ROOM}.forest", [table], ["--comparison", table])}

    @property
    def section(self) -> Step:
        comparison, results = self.table("comparison"), self.table("results")
        forest = self.figure("forest")[0]
        return Step(
            f"{ROOM}.section",
            [comparison, results, forest],
            ["--comparison", comparison, "--results", results, "--forest", forest],
        )
