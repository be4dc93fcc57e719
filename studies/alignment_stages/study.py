"""The study as seen by the workflow: what to evaluate, and how its tables and section are made."""

from functools import cached_property

from scripts.lib.names import PairsName
from scripts.lib.study import Step, Study
from studies.alignment_stages.config import Config


class Room(Study):
    """Is On-Policy Data Always the Best Choice for DPO-based LM Alignment?"""

    title = "Is on-policy data always the best choice?"
    spec: Config

    @property
    def lead(self) -> str:
        suite = self.atlas.evaluation.suites[self.spec.boundary]
        return f"{', '.join(self.spec.policies)} against {suite.pairs}, compared by {suite.ranker or suite.scorer}."

    @cached_property
    def measured(self) -> list[tuple[str, str]]:
        return [(policy, self.spec.boundary) for policy in self.spec.policies]

    @cached_property
    def names(self) -> dict[str, PairsName]:
        return {}

    @cached_property
    def tables(self) -> dict[str, Step]:
        evaluations = self.evaluations()
        return {
            "boundary": Step("scripts.evaluation.boundaries", evaluations, ["--evaluations", *evaluations]),
            "theory": Step("studies.alignment_stages.theory.check"),
        }

    @property
    def section(self) -> Step:
        tables = [self.table(name) for name in self.tables]
        return Step("scripts.report.section", tables, ["--title", self.title, "--tables", *tables])
