"""State of a Snakemake run: jobs done per phase, and the time left. Has no output and no clock of its own."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

NO_PHASE = "targets"
"""The phase of rules without a known phase."""

EXPECTED = {
    "load": 1.2,
    "preferences": 1.2,
    "curate": 0.7,
    "prompts": 0.5,
    "reference": 1.0,
    "length_control": 25.0,
    "score": 0.5,
    "gap": 0.4,
    "ranked": 1.0,
    "pretrain": 95.0,
    "ranker": 9.0,
    "logprobs": 1.6,
    "train": 4.6,
    "train_online": 9.2,
    "harness": 5.6,
    "sample": 2.4,
    "sample_prompt_set": 8.8,
    "judge": 0.9,
    "reward": 0.4,
    "boundary_score": 1.5,
    "table": 0.5,
    "figure": 0.9,
}
"""Seconds per job on the didactic world (two cores, 30 November 2026), for a folder's first run; their ratios count."""
PRIOR_JOBS = 3
"""How many finished jobs of a rule an expected duration counts as."""


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
    """Seconds left; ``at_least`` if nothing is known yet of how long the jobs of some waiting rules take."""

    seconds: float
    at_least: bool


@dataclass
class Progress:
    """Counts and durations by rule, and the running jobs. expected: rule -> seconds per job, as of an earlier run."""

    phase_of: dict[str, str] = field(default_factory=dict)
    expected: Mapping[str, float] = field(default_factory=dict)
    total: dict[str, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)
    running: dict[int, Job] = field(default_factory=dict)
    failed: list[Job] = field(default_factory=list)
    first: float | None = None

    def plan(self, stats: dict[str, int], phase_of: dict[str, str], expected: Mapping[str, float]) -> None:
        """Set the number of jobs of each rule, as Snakemake counts them, each rule's phase, phases in order, and what
        its jobs are expected to take."""
        self.phase_of = phase_of
        self.expected = expected
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

        A rule's mean is of its finished jobs and of what was expected of it, scaled by how fast this run is compared
        with what was expected. None before any job has finished.
        """
        if self.first is None or not any(self.done.values()) or now <= self.first:
            return None
        ran = {id_: max(0.0, now - job.started) for id_, job in self.running.items()}
        side_by_side = max(1.0, (sum(self.spent.values()) + sum(ran.values())) / (now - self.first))
        scale = self._speed()
        work, at_least = 0.0, False
        for rule, total in self.total.items():
            mean = self._mean(rule, scale)
            if mean is not None:
                work += (total - self.done.get(rule, 0)) * mean
                work -= sum(min(mean, ran[id_]) for id_, job in self.running.items() if job.rule == rule)
            elif total and self.phase_of.get(rule, NO_PHASE) != NO_PHASE:
                at_least = True
        return Left(max(0.0, work) / side_by_side, at_least)

    def _speed(self) -> float:
        """Seconds per expected second, of the finished jobs of which something was expected."""
        known = [rule for rule in self.done if rule in self.expected]
        spent = sum(self.spent[rule] for rule in known)
        return (spent + 1.0) / (sum(self.done[rule] * self.expected[rule] for rule in known) + 1.0)

    def _mean(self, rule: str, scale: float) -> float | None:
        done, prior = self.done.get(rule, 0), PRIOR_JOBS if rule in self.expected else 0
        if not done + prior:
            return None
        return (self.spent.get(rule, 0.0) + prior * scale * self.expected.get(rule, 0.0)) / (done + prior)

    def durations(self) -> dict[str, float]:
        """Rule -> seconds per finished job of this run; of other rules what was expected, at this run's speed."""
        scale = self._speed()
        expected = {rule: scale * seconds for rule, seconds in self.expected.items()}
        return expected | {rule: self.spent[rule] / done for rule, done in self.done.items() if done}


def read_durations(path: Path) -> dict[str, float]:
    """What earlier runs left; EXPECTED for the rules of which they had no job."""
    with suppress(OSError, ValueError, AttributeError, TypeError):
        left = json.loads(path.read_text(encoding="utf-8")).items()
        return EXPECTED | {str(rule): float(seconds) for rule, seconds in left}
    return dict(EXPECTED)


def write_durations(durations: Mapping[str, float], path: Path) -> None:
    """Leave them for the next run; without them it only knows less."""
    with suppress(OSError):
        rounded = {rule: round(seconds, 2) for rule, seconds in sorted(durations.items())}
        path.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")
