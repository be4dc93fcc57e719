"""The study as seen by the workflow: its tables, figures and section. It measures no policy of the world."""

from functools import cached_property

from scripts.lib.study import Step, Study
from studies.mode_seeking.bandit import layout
from studies.mode_seeking.config import Config

ROOM = "studies.mode_seeking"


class Room(Study):
    """Preference Fine-Tuning of LLMs Should Leverage Suboptimal, On-Policy Data."""

    title = "On-policy samples, negative gradients: what moves a policy?"
    spec: Config

    @property
    def lead(self) -> str:
        bandit = self.spec.bandit
        seeds = "1 seed" if len(bandit.seeds) == 1 else f"{len(bandit.seeds)} seeds"
        optima = " and ".join(f"{name} ({at:g})" for name, at in bandit.optima.items())
        return (
            f"Categorical distributions, exactly; and {len(layout.METHODS)} methods on a bandit with optimum {optima}: "
            f"{bandit.steps} gradient steps, {seeds}."
        )

    @cached_property
    def tables(self) -> dict[str, Step]:
        runs = [layout.runs_file(method) for method in layout.METHODS]
        return {
            "categorical": Step(f"{ROOM}.tables.categorical", [], ["--what", "moved"]),
            "categorical_curves": Step(f"{ROOM}.tables.categorical", [], ["--what", "curves"]),
            "bandit": Step(f"{ROOM}.tables.bandit", runs, ["--runs", *runs, "--what", "final"]),
            "bandit_curves": Step(f"{ROOM}.tables.bandit", runs, ["--runs", *runs, "--what", "curves"]),
            "chosen": Step(f"{ROOM}.tables.chosen", [layout.CHOSEN_FILE], ["--pairs", layout.CHOSEN_FILE]),
            "theory": Step(f"{ROOM}.theory.check"),
        }

    @cached_property
    def figures(self) -> dict[str, Step]:
        drawn = {"axes": "bandit", "bandit": "bandit_curves", "chosen": "chosen", "categorical": "categorical_curves"}
        return {
            figure: Step(f"{ROOM}.figures.{figure}", [self.table(table)], ["--table", self.table(table)])
            for figure, table in drawn.items()
        }

    @property
    def claims(self) -> Step:
        runs = [layout.runs_file(method) for method in layout.METHODS]
        files = ["--runs", *runs, "--pairs", layout.CHOSEN_FILE]
        spec = ["--bandit", self.spec.bandit.model_dump_json()]
        return Step(f"{ROOM}.claims", [*runs, layout.CHOSEN_FILE], [*spec, *files])

    @property
    def section(self) -> Step:
        tables = [self.table(name) for name in ("bandit", "categorical", "theory")]
        figures = [self.figure(name)[0] for name in self.figures]
        return Step(f"{ROOM}.section", [*tables, *figures], ["--tables", *tables, "--figures", *figures])
