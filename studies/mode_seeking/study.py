"""The study as seen by the workflow: what to evaluate, and how its tables, figures, claims and section are made."""

import json
from functools import cached_property

from scripts.lib.names import PairsName
from scripts.lib.study import Step, Study
from scripts.report.labels import listed
from studies.mode_seeking import layout
from studies.mode_seeking.bandit import layout as bandit
from studies.mode_seeking.config import Config

ROOM = "studies.mode_seeking"
RUNS = [bandit.runs_file(method) for method in bandit.METHODS]


class Room(Study):
    """Preference Fine-Tuning of LLMs Should Leverage Suboptimal, On-Policy Data."""

    title = "On-policy samples, negative gradients: what moves a policy?"
    spec: Config

    @property
    def lead(self) -> str:
        spec, language = self.spec.bandit, self.spec.language
        optima = " and ".join(f"{name} ({at:g})" for name, at in spec.optima.items())
        told = (
            f"Categorical distributions, exactly; {len(bandit.METHODS)} methods on a bandit with optimum {optima}: "
            f"{spec.steps} gradient steps, {_counted(spec.seeds)}"
        )
        if language is None:
            return f"{told}."
        methods = listed([layout.title_of(each) for each in language.methods])
        rewards = listed([each.name for each in language.rewards])
        return f"{told}; {methods} on {language.policy} with the rewards {rewards}, {_counted(language.seeds)}."

    @cached_property
    def negative(self) -> dict[str, bool]:
        """Of every training variant of the grid, whether it has a negative gradient."""
        return layout.negative_of(self.spec.language, self.atlas) if self.spec.language else {}

    @cached_property
    def measured(self) -> list[tuple[str, str]]:
        return layout.measured(self.spec, self.negative)

    @cached_property
    def names(self) -> dict[str, PairsName]:
        rewards = self.spec.language.rewards if self.spec.language else []
        return {each.pairs: PairsName(dataset=each.name, chosen="chosen", rejected="rejected") for each in rewards}

    @cached_property
    def tables(self) -> dict[str, Step]:
        found = {
            "categorical": Step(f"{ROOM}.tables.categorical", [], ["--what", "moved"]),
            "categorical_curves": Step(f"{ROOM}.tables.categorical", [], ["--what", "curves"]),
            "bandit": Step(f"{ROOM}.tables.bandit", RUNS, ["--runs", *RUNS, "--what", "final"]),
            "bandit_curves": Step(f"{ROOM}.tables.bandit", RUNS, ["--runs", *RUNS, "--what", "curves"]),
            "chosen": Step(f"{ROOM}.tables.chosen", [bandit.CHOSEN_FILE], ["--pairs", bandit.CHOSEN_FILE]),
            "theory": Step(f"{ROOM}.theory.check"),
        }
        if self.spec.language:
            found["language"] = Step(
                f"{ROOM}.tables.language",
                self.evaluations(),
                ["--spec", self.spec.language.model_dump_json(), *self._reading_runs],
            )
        return found

    @property
    def _reading_runs(self) -> list[str]:
        """The flags of a step that reads the results of all rows."""
        return ["--negative", json.dumps(self.negative), "--evaluations", "results/evaluations"]

    @cached_property
    def figures(self) -> dict[str, Step]:
        drawn = {"axes": "bandit", "bandit": "bandit_curves", "chosen": "chosen", "categorical": "categorical_curves"}
        drawn |= {"language": "language"} if self.spec.language else {}
        return {
            figure: Step(f"{ROOM}.figures.{figure}", [self.table(table)], ["--table", self.table(table)])
            for figure, table in drawn.items()
        }

    @property
    def claims(self) -> Step:
        files = ["--runs", *RUNS, "--pairs", bandit.CHOSEN_FILE]
        arguments = ["--bandit", self.spec.bandit.model_dump_json(), *files]
        if self.spec.language:
            arguments += ["--language", self.spec.language.model_dump_json(), *self._reading_runs]
        return Step(f"{ROOM}.claims", [*RUNS, bandit.CHOSEN_FILE, *self.evaluations()], arguments)

    @property
    def section(self) -> Step:
        shown = ["bandit", "categorical", "theory", *(["language"] if self.spec.language else [])]
        tables = [self.table(name) for name in shown]
        figures = [self.figure(name)[0] for name in self.figures]
        return Step(f"{ROOM}.section", [*tables, *figures], ["--tables", *tables, "--figures", *figures])


def _counted(seeds: list[int]) -> str:
    return "1 seed" if len(seeds) == 1 else f"{len(seeds)} seeds"
