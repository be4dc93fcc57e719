"""The study as seen by the workflow: what to evaluate, and how its tables, figures and section are made."""

import json
from collections.abc import Sequence
from functools import cached_property

from scripts.lib.lineage import is_run
from scripts.lib.names import PairsName
from scripts.lib.study import Step, Study
from scripts.report.labels import listed
from studies.three_d import layout
from studies.three_d.config import Config, Experiments

ROOM = "studies.three_d"
PUBLISHED = "studies/three_d/published"
PUBLISHED_FILES = [f"{PUBLISHED}/{name}.csv" for name in ("table1", "table2", "table7", "table8", "table9")]
TOY_FIGURES = {
    "figure2": "toy_curves",
    "figure1": "toy_matrices",
    "figure3": "toy_curves",
    "grid": "toy",
    "objectives": "toy_curves",
}
"""Figure -> the table that it is drawn from. The first is the headline."""
FIGURES = {
    "dynamics": "dynamics",
    "figure4": "beta_sweep",
    "figure6": "dynamics",
    "figure5": "rm_vs_dpo_curves",
    "figure8": "rm_vs_dpo_curves",
    "over_optimisation": "table2",
}
"""The same of the experiments on language models."""
CURVES = {"rm_vs_dpo": "summary", "rm_vs_dpo_curves": "curves"}
CURVES_IN = "results/reward_models/three_d"
UNSEEN = ("dynamics", "rm_vs_dpo_curves")
"""Tables that are drawn, and not on the page."""


class Room(Study):
    """3D-Properties: Identifying Challenges in DPO and Charting a Path Forward."""

    title = "What does DPO do to likelihoods?"
    spec: Config

    @property
    def lead(self) -> str:
        toy = self.spec.toy
        settings = len(toy.widths) * len(toy.optimisers) * len(toy.rejected)
        models = f" {self._trained(self.spec.experiments)}" if self.spec.experiments else ""
        return (
            f"The toy model under {', '.join(toy.objectives)}: 4 scenarios, {settings} settings, {len(toy.seeds)} "
            f"seeds, {toy.epochs} epochs; the theory on random instances.{models}"
        )

    @staticmethod
    def _trained(spec: Experiments) -> str:
        names = listed([base.policy for base in spec.policies])
        draws = f", {spec.draws} draws" if spec.draws > 1 else ""
        seeds = "1 seed" if len(spec.seeds) == 1 else f"{len(spec.seeds)} seeds"
        return f"{names} trained in the 4 scenarios and by {len(spec.regularised)} other objectives, {seeds}{draws}."

    @cached_property
    def rows(self) -> list[layout.Row]:
        spec = self.spec.experiments
        if spec is None:
            return []
        swept = [row for _, row in layout.sweep(spec, self.atlas)]
        return [*layout.scenarios(spec), *layout.regularised(spec), *swept]

    @cached_property
    def measured(self) -> list[tuple[str, str]]:
        if self.spec.experiments is None:
            return []
        suites = [suite for each in self.spec.experiments.test_sets for suite in (each.full_marks, each.right)]
        of_problems = [(run, suite) for run in layout.policies_of(self.rows) for suite in suites]
        return of_problems + [(run, suite) for run in layout.policies_of(self.forms) for suite in self._form_suites]

    @cached_property
    def forms(self) -> list[layout.Row]:
        """The rows of Table 2."""
        return layout.forms(self.spec.experiments) if self.spec.experiments else []

    @property
    def _form_suites(self) -> list[str]:
        of = self.spec.experiments.forms
        return [*of.verses.values(), *of.slogans.values(), *of.by_rules, *of.by_model] if of else []

    @cached_property
    def names(self) -> dict[str, PairsName]:
        if self.spec.experiments is None:
            return {}
        found = {}
        for field in layout.SCENARIOS.values():
            chosen, rejected = (f"{side}-policy" for side in field.split("_"))
            dataset = getattr(self.spec.experiments.scenarios, field)
            found[dataset] = PairsName(dataset="Problems", chosen=chosen, rejected=rejected)
        if of := self.spec.experiments.forms:
            found[of.pairs] = PairsName(dataset="Verses and slogans", chosen="on-policy", rejected="on-policy")
        return found

    @property
    def made(self) -> list[str]:
        return [self.table(name) for name in ("toy", "toy_findings", "toy_curves", "toy_matrices", "theory")]

    @cached_property
    def tables(self) -> dict[str, Step]:
        if self.spec.experiments is None:
            return {}
        return {
            **{name: self._of_answers(name) for name in ("table1", "table8", "table9")},
            **({"beta_sweep": self._of_answers("beta_sweep", self._betas)} if self._is_swept else {}),
            "table7": self._of_training("table7", "--beta", str(self._beta), "--published", PUBLISHED),
            "dynamics": self._of_training("dynamics"),
            **({"table2": self._table2} if self.forms else {}),
            **({name: self._of_curves(what) for name, what in CURVES.items()} if self._curves else {}),
        }

    @property
    def _spec(self) -> list[str]:
        return ["--spec", self.spec.experiments.model_dump_json()]

    @property
    def _beta(self) -> float:
        """Of plain DPO."""
        return self.atlas.training.variant(self.spec.experiments.variant).beta

    @property
    def _is_swept(self) -> bool:
        return bool(self.spec.experiments.beta_sweep)

    @property
    def _betas(self) -> list[str]:
        """The flag for the beta of the rejected of each variant of the sweep."""
        swept = layout.sweep(self.spec.experiments, self.atlas) if self._is_swept else []
        return ["--betas", json.dumps({row.variant: beta for beta, row in swept})]

    @property
    def _training(self) -> list[str]:
        """The training tables of all runs."""
        return [
            f"results/training/{run}.parquet" for run in layout.policies_of([*self.rows, *self.forms]) if is_run(run)
        ]

    def _of_answers(self, table: str, more: Sequence[str] = ()) -> Step:
        arguments = ["--table", table, *self._spec, *more]
        return Step(
            f"{ROOM}.tables.answers",
            [*self.evaluations(), *PUBLISHED_FILES],
            [*arguments, "--evaluations", "results/evaluations", "--published", PUBLISHED],
        )

    @property
    def _table2(self) -> Step:
        folders = ["--evaluations", "results/evaluations", "--training", "results/training", "--published", PUBLISHED]
        return Step(
            f"{ROOM}.tables.table2",
            [*self.evaluations(layout.policies_of(self.forms)), *self._training, *PUBLISHED_FILES],
            [*self._spec, *folders],
        )

    @property
    def _curves(self) -> list[str]:
        """The curves of reward models and of DPO."""
        return [f"{CURVES_IN}/{run}.csv" for *_, runs in layout.reward_models(self.spec.experiments) for run in runs]

    def _of_curves(self, what: str) -> Step:
        return Step(f"{ROOM}.tables.rm_vs_dpo", self._curves, ["--what", what, *self._spec, "--curves", CURVES_IN])

    def _of_training(self, table: str, *more: str) -> Step:
        return Step(
            f"{ROOM}.tables.{table}",
            [*self._training, *PUBLISHED_FILES],
            [*self._spec, "--training", "results/training", *more],
        )

    @cached_property
    def figures(self) -> dict[str, Step]:
        drawn = TOY_FIGURES | {figure: table for figure, table in FIGURES.items() if table in self.tables}
        return {
            figure: Step(f"{ROOM}.figures.{figure}", [self.table(table)], ["--table", self.table(table)])
            for figure, table in drawn.items()
        }

    @property
    def claims(self) -> Step | None:
        if self.spec.experiments is None:
            return None
        folders = ["--evaluations", "results/evaluations", "--training", "results/training", "--published", PUBLISHED]
        folders += ["--curves", CURVES_IN] if self._curves else []
        return Step(
            f"{ROOM}.claims",
            [*self.evaluations(), *self._training, *self._curves, *PUBLISHED_FILES],
            [*self._spec, "--beta", str(self._beta), *self._betas, *folders],
        )

    @property
    def section(self) -> Step:
        names = [*(name for name in self.tables if name not in UNSEEN), "toy_findings", "theory"]
        tables = [self.table(name) for name in names]
        figures = [self.figure(name)[0] for name in self.figures]
        return Step(f"{ROOM}.section", [*tables, *figures], ["--tables", *tables, "--figures", *figures])
