"""Paths of the files of suites by the configuration: what they ask, of whom, and who judges."""

from scripts.lib import lineage
from scripts.lib.config.endpoints import Paid
from scripts.lib.errors import InputError
from scripts.workflow.files import Files, local_files, spec

LENGTH_CONTROL = ["df_gamed.csv", "instruction_difficulty.csv"]
"""The files of a fitted length control: evaluation/control_files.py's, without importing alpaca-eval."""


class SuiteFiles:
    """The paths of one configuration's suites. files: those of everything else."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.atlas = files.atlas
        self.suites = self.atlas.evaluation.suites

    def questions(self, suite: str) -> list[str]:
        """The questions of a suite of the didactic world; empty for others."""
        return [f"results/suites/{suite}/questions.jsonl"] if self.data(suite) == "world" else []

    def data(self, suite: str) -> str | None:
        """Where a suite's questions come from, if it has its own."""
        return getattr(self.suites[suite], "data", None)

    def prompts_of(self, suite: str) -> str:
        """The prompts of a suite: its own, those of the suite whose samples it scores, or those of its pairs."""
        entry = self.suites[suite]
        if entry.kind in ("preference", "boundary"):
            return f"results/prompt_sets/{lineage.prompt_set_behind(self.atlas, entry.pairs)}/prompts.parquet"
        return f"results/suites/{self.sampled_suite(suite)}/prompts.parquet"

    def sampled_suite(self, suite: str) -> str:
        """The suite whose prompts a policy answers for this suite."""
        return getattr(self.suites[suite], "samples_of", None) or suite

    def held_out_start(self, suite: str, policy: str) -> list[str]:
        """The log-probs of a preference suite's responses under the start of a run; none for another policy."""
        if not lineage.is_run(policy):
            return []
        return self.files.references(self.suites[suite].pairs, lineage.Run.parse(policy).start)

    def compared_samples(self, suite: str, policy: str) -> str:
        """The samples of a policy that a boundary suite compares. Raises InputError if they are another policy's."""
        samples = self.suites[suite].samples
        whose = self.atlas.samples[samples].policy or policy
        if whose != policy:
            raise InputError(
                f"evaluation.suites.{suite}, samples",
                f"{samples} is sampled from {whose}, and cannot tell of {policy}",
                "name a sample set without a policy, or leave its policy out",
            )
        return self.files.samples_for(samples, policy)

    def compared_scores(self, suite: str, policy: str) -> list[str]:
        """The scores of both sides of a boundary suite's comparisons; none with a ranker."""
        entry = self.suites[suite]
        families = lineage.families_behind(self.atlas, entry.pairs)
        own = self.files.sampled_family(entry.samples, policy)
        return self.files.scores(entry.scorer, [own, *families]) if entry.scorer else []

    def comparing_model(self, suite: str) -> list[str]:
        """The files of a boundary suite's ranker, if it has one."""
        entry = self.suites[suite]
        return self.files.ranker(entry.ranker) if entry.ranker else []

    def comparing_flags(self, suite: str, policy: str) -> list[str]:
        """The flags for the ranker or the scores of a boundary suite."""
        entry = self.suites[suite]
        if entry.scorer:
            return ["--scores", *self.compared_scores(suite, policy)]
        return [
            *("--ranker-spec", spec(self.atlas.rankers, entry.ranker)),
            *self.files.ranker_folder(entry.ranker),
            *("--prompts", *self.files.prompts_behind([entry.pairs])),
            *("--responses", *self.files.responses_behind([entry.pairs])),
        ]

    def is_paid(self, suite: str) -> bool:
        """Whether a suite's judge is an LLM behind an API."""
        return isinstance(self.suites[suite].judge, Paid)

    def fits_length_control(self, suite: str) -> bool:
        """Whether length control is fitted here: for the didactic world, whose judge has no published files."""
        return self.suites[suite].data == "world" and not self.is_paid(suite)

    def length_control(self, suite: str) -> list[str]:
        names = LENGTH_CONTROL if self.fits_length_control(suite) else []
        return [f"results/suites/{suite}/length_control/{name}" for name in names]

    def judging_paths(self, suite: str) -> list[str]:
        """Where an LLM judge's prompt or annotator configuration is, or what the scorer reads that measures a suite."""
        judge = getattr(self.suites[suite], "judge", None)
        of_judge = [path for key in ("annotators_config", "prompt") if (path := getattr(judge, key, None))]
        return [*self.files.scorer_paths(self.judging_scorer(suite)), *of_judge]

    def judging_files(self, suite: str) -> list[str]:
        """The local ones of these files; the models trained here are named by :meth:`judging_model`."""
        return [file for path in self.judging_paths(suite) for file in local_files(path)]

    def judging_scorer(self, suite: str) -> str | None:
        """The scorer that measures a suite: a reward suite's own, or the one behind a judge."""
        entry = self.suites[suite]
        return entry.scorer if entry.kind == "reward" else getattr(entry.judge, "scorer", None)

    def judging_model(self, suite: str) -> list[str]:
        """Its files, if it was trained here."""
        name = self.judging_scorer(suite)
        return self.files.scorer(name) if name else []

    def judging_flags(self, suite: str) -> list[str]:
        """The flags for it."""
        name = self.judging_scorer(suite)
        if not name:
            return []
        folder = ["--model-dir", f"results/scorers/{name}"] if self.judging_model(suite) else []
        scorer = self.atlas.scorers[name]
        if getattr(scorer, "backend", None) == "vllm":  # its environment has no alpaca-eval
            scorer = scorer.model_copy(update={"backend": "transformers", "engine": None})
        return ["--scorer", scorer.model_dump_json(exclude={"threads"}), *folder, *self.files.verdicts(name)]
