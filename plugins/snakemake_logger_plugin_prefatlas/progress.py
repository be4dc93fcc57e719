"""State of a Snakemake run: jobs done per phase, and the time left. Has no output and no clock of its own."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

NO_PHASE = "targets"
"""The phase of rules without a known phase."""

EXPECTED = {
    "load": 1.0,
    "preferences": 1.1,
    "length_control": 20.0,
    "ranked": 1.1,
    "pretrain": 82.0,
    "ranker": 8.0,
    "reward_model": 2.9,
    "logprobs": 1.3,
    "train": 4.0,
    "train_online": 8.5,
    "harness": 5.5,
    "sample": 2.0,
    "sample_prompt_set": 2.8,
    "judge": 0.8,
    "boundary_score": 2.0,
    "preflight_overlap": 1.6,
    "training_curves": 3.0,
    "rulegraph": 7.0,
    "alignment_stages_quality": 2.1,
    "mode_seeking_bandit": 47.0,
    "mode_seeking_pairs": 10.0,
    "three_d_reward_model": 7.9,
    "three_d_toy": 20.0,
    "what_matters_theory": 5.5,
}
"""Seconds per job on the didactic world (two cores, 30 November 2026), until the rule was timed; ratios count."""
SHORT = 0.45
"""The same for every other rule."""
PRIOR_JOBS = 3
"""How many finished jobs a rule's duration in earlier runs counts as."""
GUESSED = 0.75
"""With a larger share of the run's work in rules that were never timed, the time left is a lower bound."""


@dataclass(frozen=True)
class Job:
    """A job that has started; ``started`` in seconds since the epoch."""

    rule: str
    wildcards: tuple[str, ...]
    started: float

    def __str__(self) -> str:
        return " ".join([self.rule, *self.wildcards])


@dataclass(frozen=True)
class Left:
    """Seconds left; ``at_least`` if most of the run is of rules that were never timed."""

    seconds: float
    at_least: bool


@dataclass
class Progress:
    """Counts and durations by rule, and the running jobs. timed: rule -> seconds per job in earlier runs."""

    phase_of: dict[str, str] = field(default_factory=dict)
    timed: Mapping[str, float] = field(default_factory=dict)
    total: dict[str, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)
    running: dict[int, Job] = field(default_factory=dict)
    failed: list[Job] = field(default_factory=list)
    first: float | None = None

    def plan(self, stats: dict[str, int], phase_of: dict[str, str], timed: Mapping[str, float]) -> None:
        """Set the number of jobs of each rule, as Snakemake counts them, each rule's phase, phases in order, and what
        its jobs took in earlier runs."""
        self.phase_of = phase_of
        self.timed = timed
        self.total = {rule: int(count) for rule, count in stats.items() if rule != "total"}

    def start(self, jobid: int, job: Job) -> None:
        self.first = job.started if self.first is None else self.first
        self.running[jobid] = job

    def finish(self, jobid: int, now: float) -> tuple[Job, float] | None:
        """The job and its duration in seconds; None if it never started here."""
        job = self.running.pop(jobid, None)
        if job is None:
            return None
        seconds = max(0.0, now - job.started)
        self.done[job.rule] = self.done.get(job.rule, 0) + 1
        self.spent[job.rule] = self.spent.get(job.rule, 0.0) + seconds
        return job, seconds

    def fail(self, jobid: int) -> Job | None:
        job = self.running.pop(jobid, None)
        if job is not None:
            self.failed.append(job)
        return job

    @property
    def counts(self) -> tuple[int, int]:
        """(jobs done, jobs in all)."""
        return sum(self.done.values()), sum(self.total.values())

    def by_phase(self) -> dict[str, tuple[int, int, list[Job]]]:
        """Phase -> (jobs done, all jobs, running jobs), in the order of ``phase_of``."""
        found: dict[str, tuple[int, int, list[Job]]] = {}
        order = [*dict.fromkeys(self.phase_of.values()), NO_PHASE]
        for phase in order:
            rules = [rule for rule in self.total if self.phase_of.get(rule, NO_PHASE) == phase]
            if rules:
                running = [job for job in self.running.values() if job.rule in rules]
                found[phase] = (
                    sum(self.done.get(rule, 0) for rule in rules),
                    sum(self.total[rule] for rule in rules),
                    running,
                )
        return found

    def left(self, now: float) -> Left | None:
        """The time left: every rule's remaining jobs at their mean duration, over the mean number that ran at once.

        A rule's mean is of its finished jobs and of earlier runs; a rule that was never timed takes what it does on the
        didactic world, at the speed of what was timed. None before any job has finished.
        """
        if self.first is None or not any(self.done.values()) or now <= self.first:
            return None
        ran = {id_: max(0.0, now - job.started) for id_, job in self.running.items()}
        side_by_side = max(1.0, (sum(self.spent.values()) + sum(ran.values())) / (now - self.first))
        speed = self._speed()
        work, guessed = 0.0, 0.0
        for rule, total in self.total.items():
            mean = self._mean(rule, speed)
            part = (total - self.done.get(rule, 0)) * mean
            part -= sum(min(mean, ran[id_]) for id_, job in self.running.items() if job.rule == rule)
            work += part
            guessed += 0.0 if rule in self.timed or rule in self.done else part
        return Left(max(0.0, work) / side_by_side, guessed > GUESSED * (work + sum(self.spent.values())))

    def _expected(self, rule: str) -> float:
        """Seconds per job, as known before this run."""
        if rule in self.timed:
            return self.timed[rule]
        if self.phase_of and self.phase_of.get(rule, NO_PHASE) == NO_PHASE:
            return 0.0  # a target
        known = sum(EXPECTED.get(timed, SHORT) for timed in self.timed)
        return EXPECTED.get(rule, SHORT) * (sum(self.timed.values()) / known if known else 1.0)

    def _speed(self) -> float:
        """Seconds per expected second, of the finished jobs."""
        expected = sum(done * self._expected(rule) for rule, done in self.done.items())
        return (sum(self.spent.values()) + 1.0) / (expected + 1.0)

    def _mean(self, rule: str, speed: float) -> float:
        done, prior = self.done.get(rule, 0), PRIOR_JOBS if rule in self.timed else 0
        expected = speed * self._expected(rule)
        return (self.spent.get(rule, 0.0) + prior * expected) / (done + prior) if done + prior else expected

    def durations(self) -> dict[str, float]:
        """Rule -> seconds per finished job of this run; of rules that only earlier runs timed, at this run's speed."""
        earlier = {rule: self._speed() * seconds for rule, seconds in self.timed.items()}
        return earlier | {rule: self.spent[rule] / done for rule, done in self.done.items() if done}


def read_durations(path: Path) -> dict[str, float]:
    """Rule -> seconds per job, as earlier runs left them; empty if none did."""
    with suppress(OSError, ValueError, AttributeError, TypeError):
        left = json.loads(path.read_text(encoding="utf-8")).items()
        return {str(rule): float(seconds) for rule, seconds in left}
    return {}


def write_durations(durations: Mapping[str, float], path: Path) -> None:
    """Leave them for the next run; without them it only knows less."""
    with suppress(OSError):
        rounded = {rule: round(seconds, 2) for rule, seconds in sorted(durations.items())}
        path.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")
