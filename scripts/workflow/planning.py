"""The jobs to plan: every output of the studies that needs a model, in the form of scripts/studies/plan.py."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.lib import lineage
from scripts.lib.asking import BYTES_A_TOKEN
from scripts.lib.config.behind import entry_of, model_behind, supervised_behind
from scripts.lib.config.endpoints import Paid
from scripts.lib.lineage import Run
from scripts.lib.llm_grades import TEMPLATE
from scripts.lib.study import Work
from scripts.workflow.needs import Needs, distinct
from scripts.workflow.suite_files import SuiteFiles

Job = dict[str, Any]
INSTRUCTIONS = len(TEMPLATE) / BYTES_A_TOKEN
"""Tokens of what an LLM is told besides problem, solution and answer."""


class Planning:
    """The jobs behind the needs of some studies, and what models do for their own rules."""

    def __init__(self, needs: Needs, work: Sequence[Work] = ()) -> None:
        self.needs = needs
        self.work = work
        self.atlas = needs.atlas
        self.files = needs.files
        self.suite_files = SuiteFiles(needs.files)

    def jobs(self) -> list[Job]:
        references = [self._passes(path) | {"separate": 0} for path in self._logprobs()]
        trained = self._supervising() + [self._training(run) for run in self.needs.runs]
        jobs = self._scoring() + self._sampling() + references + trained + self._asking() + self._requesting()
        made = {job["out"]: job for job in jobs}
        for each in self.work:  # a study by itself would do all of its work
            counted = self._counted(each.of)
            times = each.times * counted.get("times", 1)
            asked = {"kind": "request", "added": INSTRUCTIONS} if self._is_asked(each) else {"kind": each.kind}
            new = asked | {"out": each.out, "separate": 0} | counted | {"times": times}
            made.setdefault(each.out, new)["separate"] += 1
        return list(made.values())

    def cuts(self) -> list[dict[str, Any]]:
        """The pairs that runs learn from, once for each policy, length and truncation, in order of first use."""
        found: dict[tuple, dict[str, Any]] = {}
        cards: dict[tuple, dict[str, list[str]]] = {}
        for run in self.needs.runs:
            pairs, spec = self.needs.pairs_of(run), self.atlas.training.variant(run.variant)
            whole = lineage.without_draw(pairs)
            key = (whole, run.policy, spec.max_length, spec.truncation)
            cards.setdefault(key, {}).setdefault(pairs, []).append(f"results/training/{run.name}.card.json")
            families = lineage.families_behind(self.atlas, run.pairs, run.start)
            found[key] = {
                "pairs": f"results/pairs/{whole}.parquet",
                **{"policy": run.policy, "max_length": spec.max_length, "truncation": spec.truncation},
                "families": [each for each in families if not self.files.is_sampled(each)],
                "sampled": [self.files.responses(each) for each in families if self.files.is_sampled(each)],
                "cards": list(cards[key].values()),
            }
        return list(found.values())

    def labelled(self) -> list[str]:
        """Those of the pairs tables that are made from the data alone."""
        labelled = [name for name in self.needs.pairs if self.files.pairs_of(name).kind == "labelled"]
        return [f"results/pairs/{name}.parquet" for name in labelled]

    def counted_sets(self) -> list[str]:
        """The folders of the prompt sets behind the studies, held-out ones too."""
        held_out = [self.atlas.evaluation.suites[suite].pairs for suite in self.needs.suites_of("preference")]
        worked = [each.of.partition("/")[0].partition(".")[0] for each in self.work]
        names = distinct([*self.needs.prompt_sets, *self.files.prompt_sets_behind(held_out), *worked])
        return [f"results/prompt_sets/{name}" for name in names]

    def counted_conversations(self) -> list[str]:
        """The tables of conversations that policies are supervised on."""
        sources = distinct(self.atlas.policies[policy].demonstrations for policy in self._supervised)
        return [f"results/data/{source}/conversations.parquet" for source in sources]

    def counted_suites(self, *kinds: str) -> list[str]:
        """The folders of their suites with prompts of their own, of some kinds or all."""
        own = self.needs.suites_of(*(kinds or ("harness", "win_rate", "reward")))
        return distinct(f"results/suites/{self.suite_files.sampled_suite(name)}" for name in own)

    def _counted(self, family: str) -> Job:
        """What a family's responses are counted by: themselves, or the prompts that a policy has yet to answer."""
        if self.files.is_sampled(family):
            prompt_set, _, name = lineage.without_start(family).partition(".")
            entry = self.atlas.samples[name]
            return {"of": f"{prompt_set}/prompts", "times": entry.samples, "most": entry.limit}
        return {"of": family}

    def _work_of(self, kind: str, path: str) -> Job:
        """Work on the family named in a path of scores or log-probs."""
        return {"kind": kind, "out": path} | self._counted(Path(path).name.removesuffix(".parquet"))

    def _passes(self, path: str) -> Job:
        """Log-probs under the policy named in their path."""
        longest = model_behind(self.atlas, Path(path).parent.name).max_length
        return self._work_of("logprobs", path) | {"longest": longest}

    def _logprobs(self) -> list[str]:
        """Of the runs' references, and of held-out pairs under every policy and its start."""
        held_out = [
            path
            for policy, suite in self.needs.measured
            if suite in self.needs.suites_of("preference")
            for path in [
                *self.files.references(self.atlas.evaluation.suites[suite].pairs, policy),
                *self.suite_files.held_out_start(suite, policy),
            ]
        ]
        return distinct([*self.needs.references, *held_out])

    def _scoring(self) -> list[Job]:
        asked = [path for run in self.needs.runs for path in self.needs.scores_of(run)]
        return [
            (self._requests(path) if self._is_paid(path) else self._work_of("score", path))
            | {"separate": asked.count(path)}
            for path in distinct(asked)
        ]

    def _is_paid(self, path: str) -> bool:
        """Whether scores are an LLM's."""
        return isinstance(self.atlas.scorers[Path(path).parent.name], Paid)

    def _is_asked(self, work: Work) -> bool:
        return work.kind == "score" and self._is_paid(work.out)

    def _requests(self, path: str) -> Job:
        return self._work_of("request", path) | {"added": INSTRUCTIONS}

    def _sampling(self) -> list[Job]:
        """For pairs, with the share that a separate run would sample itself; and for win rates and rewards."""
        sampled = [each for each in self.needs.measured if each[1] in self.needs.suites_of("win_rate", "reward")]
        return [
            {
                "kind": "sample",
                "out": self.files.samples(family),
                "separate": sum(self._share(run, family) for run in self.needs.runs),
            }
            | self._counted(family)
            for family in distinct([*self.needs.sampled, *self.needs.compared, *self.needs.watched])
        ] + [
            {"kind": "sample", "out": f"results/samples/{policy}/{suite}.parquet", "of": f"{suite}/prompts"}
            for policy, suite in distinct((policy, self.suite_files.sampled_suite(suite)) for policy, suite in sampled)
        ]

    def _share(self, run: Run, family: str) -> float:
        """The share of a sample set's family that a separate run would sample: for a mixture, its ratio."""
        sets = lineage.sample_sets_behind(self.atlas, run.pairs)
        if family not in [lineage.sampled_family(self.atlas, name, run.start) for name in sets]:
            return 0.0
        if not lineage.is_mixture(self.atlas, run.pairs):
            return 1 / lineage.draws_in(run.pairs)
        return entry_of(self.atlas, run.pairs).ratio / lineage.draws_in(run.pairs)

    @property
    def _supervised(self) -> list[str]:
        """The policies that learn from conversations before they do anything here."""
        workers = [Path(each.out).parent.name for each in self.work if each.kind != "score"]
        behind = [supervised_behind(self.atlas, name) for name in workers if name in self.atlas.policies]
        return distinct([*self.needs.supervised, *(policy for line in behind for policy in line)])

    def _supervising(self) -> list[Job]:
        return [
            {
                "kind": "supervise",
                "out": f"results/training/{policy}.parquet",
                "of": f"{self.atlas.policies[policy].demonstrations}/conversations",
                "times": self.atlas.policies[policy].epochs,
                "longest": self.atlas.policies[policy].max_length,
            }
            for policy in self._supervised
        ]

    def _training(self, run: Run) -> Job:
        variant = self.atlas.training.variant(run.variant)
        return {
            "kind": "train",
            "out": f"results/training/{run.name}.parquet",
            "of": f"{lineage.prompt_set_behind(self.atlas, run.pairs)}/prompts",
            "times": variant.epochs / lineage.draws_in(run.pairs),
            "longest": variant.max_length,
        }

    def _asking(self) -> list[Job]:
        """One job evaluates a policy on all its lm-eval suites."""
        suites = self.needs.suites_of("harness")
        asked = [(policy, suite) for policy, suite in self.needs.measured if suite in suites]
        return [
            {
                "kind": "ask",
                "out": f"results/evaluations/{policy}/{suite}.json",
                "of": f"{suite}/prompts",
                "length": 1 + self.atlas.evaluation.suites[suite].shots,
                "share": 1 / sum(other == policy for other, _ in asked),
            }
            for policy, suite in asked
        ]

    def _requesting(self) -> list[Job]:
        """Grades of the samples of suites, which several suites may share, and verdicts of LLM judges."""
        suites = self.atlas.evaluation.suites
        graded, judged = {}, []
        for policy, suite in self.needs.measured:
            out, entry = f"results/evaluations/{policy}/{suite}.json", suites[suite]
            if entry.kind == "reward" and isinstance(self.atlas.scorers[entry.scorer], Paid):
                of = self.suite_files.sampled_suite(suite)
                job = {"kind": "request", "out": out, "of": f"{of}/prompts", "times": suites[of].sampling.samples}
                graded.setdefault((policy, of, entry.scorer), job | {"added": INSTRUCTIONS})
            elif entry.kind == "win_rate" and isinstance(entry.judge, Paid):
                judged.append({"kind": "request", "out": out, "of": f"{suite}/prompts"})
        return [*graded.values(), *judged]
