"""The study as seen by the workflow: its figures and section; its tables are made by rules.smk."""

from functools import cached_property

from scripts.lib.study import Step, Study
from studies.three_d.config import Config

ROOM = "studies.three_d"
FIGURES = {
    "figure2": "toy_curves",
    "figure1": "toy_matrices",
    "figure3": "toy_curves",
    "grid": "toy",
    "objectives": "toy_curves",
}
"""Figure -> the table that it is drawn from. The first is the headline."""
ON_PAGE = ("toy_findings", "theory")
"""The tables of the page; the others have hundreds of rows, and are drawn."""


class Room(Study):
    """3D-Properties: Identifying Challenges in DPO and Charting a Path Forward."""

    title = "What does DPO do to likelihoods?"
    spec: Config

    @property
    def lead(self) -> str:
        toy = self.spec.toy
        settings = len(toy.widths) * len(toy.optimisers) * len(toy.rejected)
        return (
            f"The toy model under {', '.join(toy.objectives)}: 4 scenarios, {settings} settings, {len(toy.seeds)} "
            f"seeds, {toy.epochs} epochs; the theory on random instances."
        )

    @property
    def made(self) -> list[str]:
        return [self.table(name) for name in ("toy", "toy_findings", "toy_curves", "toy_matrices", "theory")]

    @cached_property
    def figures(self) -> dict[str, Step]:
        return {
            figure: Step(f"{ROOM}.figures.{figure}", [self.table(table)], ["--table", self.table(table)])
            for figure, table in FIGURES.items()
        }

    @property
    def section(self) -> Step:
        tables = [self.table(name) for name in ON_PAGE]
        figures = [self.figure(name)[0] for name in self.figures]
        arguments = ["--title", self.title, "--tables", *tables, "--figures", *figures]
        return Step("scripts.report.section", [*tables, *figures], arguments)
