"""The study as seen by the workflow: what to evaluate, and how its tables, figures and section are made."""

from collections.abc import Sequence
from functools import cached_property

from scripts.lib.lineage import families_behind, sample_sets_behind, sampled_family
from scripts.lib.names import PairsName
from scripts.lib.study import Step, Study
from scripts.report.labels import listed
from studies.alignment_stages import layout
from studies.alignment_stages.config import Config

ROOM = "studies.alignment_stages"
PUBLISHED = "studies/alignment_stages/published"
PUBLISHED_RUNS = (f"{PUBLISHED}/iterations.csv", f"{PUBLISHED}/starts.csv")


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
            f"{names}, trained twice on {self.spec.off_policy} or their own samples by "
            f"{listed(self.spec.variants)}, {seeds}; compared by {suite.ranker or suite.scorer}."
        )

    @cached_property
    def measured(self) -> list[tuple[str, str]]:
        """Every row's win rate and true reward, and every start's boundary score."""
        suites = [each for each in (self.spec.win_rate, self.spec.true_reward) if each]
        found = [(run, suite) for run in layout.policies_of(layout.rows(self.spec)) for suite in suites]
        return found + [(run, self.spec.boundary) for run in layout.policies_of(layout.starts(self.spec))]

    @cached_property
    def names(self) -> dict[str, PairsName]:
        return {
            name: PairsName(dataset=data, chosen="chosen", rejected="rejected")
            for name, data in ((self.spec.off_policy, "off-policy"), (self.spec.on_policy, "on-policy"))
        }

    @cached_property
    def tables(self) -> dict[str, Step]:
        boundaries = self._records(self.spec.boundary)
        iterations = self.table("iterations")
        judged = [path.replace(".json", ".judgements.parquet") for path in self._records(self.spec.win_rate)]
        return {
            "iterations": self._reading_runs(f"{ROOM}.iterations", judged),
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
        return {
            name: Step(f"{ROOM}.figures.{name}", [table], ["--table", table]) for name in ("boundary", "iterations")
        }

    @property
    def claims(self) -> Step:
        return self._reading_runs(f"{ROOM}.claims")

    @property
    def section(self) -> Step:
        tables = [self.table(name) for name in self.tables]
        figures = [self.figure(name)[0] for name in self.figures]
        return Step(f"{ROOM}.section", [*tables, *figures], ["--tables", *tables, "--figures", *figures])
