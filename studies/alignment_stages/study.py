"""The study as seen by the workflow: what to evaluate, and how its tables, figures and section are made."""

import json
from collections.abc import Sequence
from functools import cached_property

from scripts.lib.lineage import Run, families_behind, pairs_for, sample_sets_behind, sampled_family, sampled_policy
from scripts.lib.names import PairsName
from scripts.lib.study import Step, Study
from scripts.report.labels import listed
from studies.alignment_stages import layout
from studies.alignment_stages.config import Config

ROOM = "studies.alignment_stages"
PUBLISHED = "studies/alignment_stages/published"
PUBLISHED_RUNS = (f"{PUBLISHED}/iterations.csv", f"{PUBLISHED}/starts.csv")
NAMES = {layout.OFF: "off-policy", layout.ON: "on-policy", layout.BLEND: "blend", layout.FOREIGN: "foreign"}
ON_PAGE = ("iterations", "table2", "quality", "diversity", "predictions", "distinct", "boundary", "theory")
"""The tables, in the page's order."""


def _labels(start: layout.Row) -> dict[str, str | None]:
    return {"policy": start.base.policy, "model": start.base.model, "iteration_1": start.iterations[0] or None}


class Room(Study):
    """Is On-Policy Data Always the Best Choice for DPO-based LM Alignment?"""

    title = "Is on-policy data always the best choice?"
    spec: Config

    @property
    def lead(self) -> str:
        suite = self.atlas.evaluation.suites[self.spec.boundary]
        names = listed([base.policy for base in self.spec.policies])
        seeds = "1 seed" if len(self.spec.seeds) == 1 else f"{len(self.spec.seeds)} seeds"
        return (
            f"{names}, trained twice on {self.spec.off_policy}, their own samples or a blend by "
            f"{listed(self.spec.variants)}, {seeds}; compared by {suite.ranker or suite.scorer}."
        )

    @property
    def rows(self) -> list[layout.Row]:
        """Those of all tables; some are in several."""
        return [*layout.rows(self.spec), *layout.table2(self.spec)]

    @cached_property
    def measured(self) -> list[tuple[str, str]]:
        """Every row's win rate and true reward, and every start's boundary score."""
        suites = [each for each in (self.spec.win_rate, self.spec.true_reward) if each]
        found = [(run, suite) for run in layout.policies_of(self.rows) for suite in suites]
        return found + [(run, self.spec.boundary) for run in layout.policies_of(layout.starts(self.spec))]

    @cached_property
    def names(self) -> dict[str, PairsName]:
        return {
            pairs: PairsName(dataset=NAMES[data], chosen="chosen", rejected="rejected")
            for data, pairs in layout.pairs_of(self.spec).items()
        }

    @cached_property
    def tables(self) -> dict[str, Step]:
        boundaries = self._records(self.spec.boundary)
        iterations = self.table("iterations")
        judged = [path.replace(".json", ".judgements.parquet") for path in self._records(self.spec.win_rate)]
        return {
            "iterations": self._reading_runs(f"{ROOM}.iterations", judged),
            "table2": self._reading_runs(f"{ROOM}.table2", judged),
            "diversity": Step(f"{ROOM}.diversity", self._files_of_cases, ["--cases", json.dumps(self.cases)]),
            "predictions": Step(
                f"{ROOM}.predictions",
                [iterations, *PUBLISHED_RUNS],
                ["--iterations", iterations, "--published", PUBLISHED],
            ),
            "distinct": self._distinct(),
            "boundary": Step("scripts.evaluation.boundaries", boundaries, ["--evaluations", *boundaries]),
            "theory": Step(f"{ROOM}.theory.check"),
        }

    def _reading_runs(self, module: str, also: Sequence[str] = ()) -> Step:
        """A step that reads the results of all rows, and the paper's numbers of them."""
        return Step(
            module,
            [*self.evaluations(), *also, *PUBLISHED_RUNS],
            [
                *("--spec", self.spec.model_dump_json()),
                *("--evaluations", "results/evaluations"),
                *("--published", PUBLISHED),
            ],
        )

    @cached_property
    def cases(self) -> list[dict]:
        """What Figure 3 shows: each initial policy of Table 2 trained on off-policy, foreign and on-policy pairs."""
        found = []
        for start in layout.compared(self.spec):
            for data in (layout.OFF, layout.FOREIGN, layout.ON):
                trained = layout.trained_from(self.spec, start, data)
                runs = [self._trained(Run.parse(run)) for run in trained.runs]
                found.append(_labels(start) | {"data": data, "runs": runs})
        return found

    def _trained(self, run: Run) -> dict:
        """The files of one run that tell of its pairs."""
        families = families_behind(self.atlas, run.pairs, run.start)
        return {
            "pairs": f"results/pairs/{pairs_for(self.atlas, run.pairs, run.start)}.parquet",
            "logprobs": [f"results/logprobs/{run.start}/{family}.parquet" for family in families],
            "steps": f"results/training/{run.name}.parquet",
        }

    @property
    def _files_of_cases(self) -> list[str]:
        runs = [run for case in self.cases for run in case["runs"]]
        return list(dict.fromkeys(path for run in runs for path in (run["pairs"], *run["logprobs"], run["steps"])))

    @cached_property
    def judged(self) -> list[dict]:
        """What quality.csv judges: the foreign pairs, and those of the own samples of Table 2's initial policies."""
        found = [{"data": layout.FOREIGN} | self._answers(self.spec.foreign.pairs, "")]
        for start in layout.switched(self.spec):
            if start.base.policy in self.spec.foreign.policies and start.variant == self.spec.foreign.variant:
                found.append({"data": layout.ON} | _labels(start) | self._answers(self.spec.on_policy, start.runs[0]))
        return found

    def _answers(self, pairs: str, start: str) -> dict:
        """The files of pairs of samples."""
        (family,) = families_behind(self.atlas, pairs, start)
        return {
            "pairs": f"results/pairs/{pairs_for(self.atlas, pairs, start)}.parquet",
            "responses": f"results/samples/{sampled_policy(self.atlas, family)}/{family}.responses.parquet",
        }

    def _distinct(self) -> Step:
        """From the references of the runs, and the samples behind them: both are there already."""
        (samples, *_) = sample_sets_behind(self.atlas, self.spec.on_policy)
        others = families_behind(self.atlas, self.spec.off_policy)
        pairs, published = f"results/pairs/{self.spec.off_policy}.parquet", f"{PUBLISHED}/distinct.csv"
        reads = [pairs, published]
        for run in layout.policies_of(layout.starts(self.spec)):
            own = sampled_family(self.atlas, samples, run)
            reads += [f"results/samples/{run}/{own}.parquet"]
            reads += [f"results/logprobs/{run}/{family}.parquet" for family in (own, *others)]
        return Step(
            f"{ROOM}.distinct",
            reads,
            [
                *("--spec", self.spec.model_dump_json()),
                *("--pairs", pairs),
                *("--own", sampled_family(self.atlas, samples)),
                *("--others", *others),
                *("--published", published),
            ],
        )

    def _records(self, suite: str) -> list[str]:
        """The evaluation files of one suite."""
        return [path for path in self.evaluations() if path.endswith(f"/{suite}.json")]

    @cached_property
    def figures(self) -> dict[str, Step]:
        table = self.table("iterations")
        drawn = {
            name: Step(f"{ROOM}.figures.{name}", [table], ["--table", table]) for name in ("boundary", "iterations")
        }
        steps = [run["steps"] for case in self.cases for run in case["runs"][:1]]
        return drawn | {"figure3": Step(f"{ROOM}.figures.figure3", steps, ["--cases", json.dumps(self.cases)])}

    @property
    def made(self) -> list[str]:
        return [self.table("quality")]

    @property
    def claims(self) -> Step:
        judging, distinct = self._reading_runs(f"{ROOM}.claims"), self.table("distinct")
        return Step(judging.module, [*judging.reads, distinct], [*judging.arguments, "--distinct", distinct])

    @property
    def section(self) -> Step:
        tables = [self.table(name) for name in ON_PAGE]
        figures = [self.figure(name)[0] for name in self.figures]
        return Step(f"{ROOM}.section", [*tables, *figures], ["--tables", *tables, "--figures", *figures])
