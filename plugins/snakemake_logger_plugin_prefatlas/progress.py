"""State of a Snakemake run: jobs done per phase, and the time left. Has no output and no clock of its own."""

from dataclasses import dataclass, field

NO_PHASE = "targets"
"""The phase of rules without a known phase."""


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
    """Seconds left; ``at_least`` if some waiting rules have no finished job yet, so that their duration is unknown."""

    seconds: float
    at_least: bool


@dataclass
class Progress:
    """Counts and durations by rule, and the running jobs."""

    phase_of: dict[str, str] = field(default_factory=dict)
    total: dict[str, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)
    running: dict[int, Job] = field(default_factory=dict)
    failed: list[Job] = field(default_factory=list)
    first: float | None = None

    def plan(self, stats: dict[str, int], phase_of: dict[str, str]) -> None:
        """Set the number of jobs of each rule, as Snakemake counts them, and each rule's phase, phases in order."""
        self.phase_of = phase_of
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
        """The time left: every rule's remaining jobs at the mean duration of its finished ones, divided by the largest
        number of jobs that have run at the same time.

        None before any job has finished.
        """
        if self.first is None or not any(self.done.values()) or now <= self.first:
            return None
        ran = {id_: max(0.0, now - job.started) for id_, job in self.running.items()}
        side_by_side = max(1.0, (sum(self.spent.values()) + sum(ran.values())) / (now - self.first))
        work, at_least = 0.0, False
        for rule, total in self.total.items():
            done = self.done.get(rule, 0)
            if done:
                mean = self.spent[rule] / done
                work += (total - done) * mean
                work -= sum(min(mean, ran[id_]) for id_, job in self.running.items() if job.rule == rule)
            elif total and self.phase_of.get(rule, NO_PHASE) != NO_PHASE:
                at_least = True
        return Left(max(0.0, work) / side_by_side, at_least)
