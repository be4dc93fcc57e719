"""The SLURM executor with four additions: no job is forgotten, none runs twice at the same time, the jobs of a queue
entry run side by side, and a queue that stands still says why (waiting.py).

`executor: prefatlas` in profiles/slurm. The executor of snakemake-executor-plugin-slurm 2.8.0 drops every running job
when a status query gets no answer, and a new call submits again what an earlier, killed call left in the queue. Here
a job stays active until its end is known, submissions wait for a controller that does not answer, and a new call takes
over what an earlier one left: it waits for a job that would make the same files from the same inputs, parameters and
code, and cancels any other job that would write one of its files. The original starts the jobs of an entry one after
another, each by srun and in a Snakemake of its own; here the entry's Snakemake runs them itself, as on one machine.
"""

import hashlib
import json
import os
import shlex
import subprocess
import time
from collections.abc import AsyncGenerator, Collection, Iterable
from pathlib import Path

import snakemake_executor_plugin_slurm as slurm
from snakemake_executor_plugin_slurm.job_status_query import query_job_status_sacct, query_job_status_squeue
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.logging import LoggerExecutorInterface
from snakemake_interface_executor_plugins.utils import format_cli_arg
from snakemake_interface_executor_plugins.workflow import WorkflowExecutorInterface

from snakemake_executor_plugin_prefatlas.ends import EndsAreKnown
from snakemake_executor_plugin_prefatlas.journal import Entry, Journal
from snakemake_executor_plugin_prefatlas.waiting import SINFO, SQUEUE, Waiting, explained, nodes_in, reasons_in

PAUSE = 5
"""Seconds between two queries of a controller that does not answer or is ending a job."""
ALIVE = ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUED", "STOPPED", "SIGNALING")
"""States of a job that may still write files."""


class Executor(EndsAreKnown, slurm.Executor):
    def __init__(self, workflow: WorkflowExecutorInterface, logger: LoggerExecutorInterface) -> None:
        self.waiting = Waiting()  # in time for the thread that asks for states, which may run before __post_init__ ends
        super().__init__(workflow, logger)

    def __post_init__(self, test_mode: bool = False) -> None:
        super().__post_init__(test_mode)
        if self.array_jobs:
            raise WorkflowError(
                "prefatlas-array-jobs: tasks of an array are started by job steps, which this executor does without\n"
                "  remedy: remove it; jobs share queue entries by the profile's groups"
            )
        self.journal = Journal(Path(self.workflow.workdir_init) / ".snakemake/slurm")
        self.run_uuid = "_".join(filter(None, [self.workflow.executor_settings.jobname_prefix, self.journal.name()]))
        self.submitted: dict[frozenset[str], str] = {}
        self.left = {entry.id: entry for entry in self.journal.open()}
        self.recorded: set[str] = set()
        self.states = self._states()
        self._take_over()

    def additional_general_args(self) -> str:
        return "--executor local"

    def get_job_args(self, job: JobExecutorInterface) -> str:
        """The entry's Snakemake keeps to the processors and the memory that the entry has."""
        entry = {name: job.resources.get(name) for name in ("cpus_per_task", "mem_mb")}
        limits = [f"{name}={amount}" for name, amount in entry.items() if amount]
        cores = entry["cpus_per_task"] or job.threads
        return f"{super().get_job_args(job)} --cores {cores} {format_cli_arg('--resources', limits, quote=False)}"

    def run_job(self, job: JobExecutorInterface) -> None:
        try:
            entry = self._taken_over(job)
            while not entry and "UP" not in _printed("scontrol", "ping"):
                self.logger.info("SLURM's controller does not answer: waiting to submit jobs.")
                time.sleep(PAUSE)
        except Exception as error:  # runs in a separate thread: what is not reported is lost
            self._report_job_error_threadsafe(SubmittedJobInfo(job), f"cannot be submitted: {error!r}")
            return
        if not entry:
            super().run_job(job)
            return
        self.logger.info(f"Job {job.jobid} is SLURM's job {entry.id} of an earlier call: waiting for that one.")
        self._report_job_submission_threadsafe(
            SubmittedJobInfo(job, external_jobid=entry.id, aux={"slurm_logfile": Path(entry.log)})
        )

    async def check_active_jobs(self, active_jobs: list[SubmittedJobInfo]) -> AsyncGenerator[SubmittedJobInfo, None]:
        async for info in super().check_active_jobs(active_jobs):
            yield info
        self._tell_why_nothing_runs({info.external_jobid for info in active_jobs})

    def _tell_why_nothing_runs(self, jobs: set[str]) -> None:
        now = time.monotonic()
        if not jobs:
            self.waiting.at_work(now)
        elif self.waiting.due(now):
            reasons, at_work = reasons_in(_printed(*SQUEUE), jobs)
            if at_work or not reasons:
                self.waiting.at_work(now)
            elif told := self.waiting.news(explained(reasons, nodes_in(_printed(*SINFO))), now):
                self.logger.warning(told)

    def report_job_submission(self, job_info: SubmittedJobInfo, register_job: bool = True) -> None:
        made = self._made(job_info.job)
        self.submitted[frozenset(made)] = job_info.external_jobid
        self.journal.write(Entry(job_info.external_jobid, str(job_info.aux["slurm_logfile"]), made))
        super().report_job_submission(job_info, register_job)

    def handle_job_success(self, job: JobExecutorInterface) -> None:
        # Only now has Snakemake recorded how the files were made.
        super().handle_job_success(job)
        self._close(job)

    def handle_job_error(self, job: JobExecutorInterface) -> None:
        super().handle_job_error(job)
        self._close(job)

    def _close(self, job: JobExecutorInterface) -> None:
        if id := self.submitted.pop(frozenset(_outputs(job)), None):
            self.journal.close(id)

    def _take_over(self) -> None:
        """Record how files were made that jobs of a killed call have finished since."""
        unknown = self.states.keys() - self.left.keys()  # its call was killed before noting them; or ended long ago
        self._cancel(Entry(id, "", {}) for id in unknown)
        dag, stale = self.workflow.dag, []
        owner = {file: entry for entry in self.left.values() for file in entry.made}
        for job in dag.jobs:
            files = _outputs(job)
            if not files & owner.keys() or dag.needrun(job):
                continue
            self.recorded |= files
            entry = owner[min(files & owner.keys())]
            if self._is_recorded(job):
                continue
            if all(entry.made.get(file) == digest for file, digest in self._made(job, entry.made).items()):
                self.workflow.async_run(self.workflow.persistence.finished(job))
            else:
                self.workflow.persistence.started(job)  # marks them as unfinished: the next call makes them again
                stale += files
        for entry in list(self.left.values()):
            if entry.made.keys() <= self.recorded and self.states.get(entry.id) not in ALIVE:
                self.journal.close(self.left.pop(entry.id).id)
        if stale:
            raise WorkflowError(
                f"jobs of an earlier call finished {', '.join(sorted(stale))}; inputs, parameters or code have changed "
                "since they were submitted\n  remedy: call snakemake again, which makes these files again"
            )

    def _is_recorded(self, job: JobExecutorInterface) -> bool:
        """Whether Snakemake has a record of how exactly these files were made, not earlier versions of them."""
        records = [(file, self.workflow.persistence.metadata(file)) for file in job.output]
        return all(record and record.endtime == os.stat(file).st_mtime for file, record in records)

    def _taken_over(self, job: JobExecutorInterface) -> Entry | None:
        """An earlier call's job that makes exactly these files; any other that would write one of them is cancelled."""
        files = _outputs(job)
        rivals = [entry for entry in list(self.left.values()) if files & entry.made.keys()]
        if len(rivals) == 1 and self.states.get(rivals[0].id) in (*ALIVE, "COMPLETED"):
            made = rivals[0].made
            # In a group, some files may exist already: then the job makes the rest.
            if self._made(job, made).items() <= made.items() and made.keys() - files <= self.recorded:
                return self.left.pop(rivals[0].id)
        self._cancel(rivals)
        return None

    def _cancel(self, entries: Iterable[Entry]) -> None:
        """Cancel jobs of an earlier call, and return once none of them can write any more."""
        for entry in entries:
            if self.states.get(entry.id) in ALIVE:
                self.logger.info(f"Cancelling SLURM's job {entry.id} of an earlier call: it is out of date.")
                _printed("scancel", entry.id)
                while self._states().get(entry.id) in ALIVE:
                    time.sleep(PAUSE)
            self.journal.close(entry.id)
            self.left.pop(entry.id, None)

    def _states(self) -> dict[str, str]:
        """The state of each of this folder's jobs that SLURM remembers; waits until the controller answers."""
        by = query_job_status_squeue if self.get_status_command() == "squeue" else query_job_status_sacct
        while (done := subprocess.run(shlex.split(by(self.run_uuid)), capture_output=True, text=True)).returncode:
            if "accounting storage is disabled" in done.stderr:
                raise WorkflowError("SLURM has no job accounting here\n  remedy: --prefatlas-status-command squeue")
            self.logger.info(f"SLURM does not answer: {done.stderr.strip()}")
            time.sleep(PAUSE)
        # "CANCELLED by 1000"
        return {id: state.split()[0] for id, state in (line.split("|")[:2] for line in done.stdout.splitlines())}

    def _made(self, job: JobExecutorInterface, together: Collection[str] = ()) -> dict[str, str]:
        """Each file of a job, or of the jobs of a group -> digest of its inputs, parameters and code.

        Inputs count by size and time; inputs made in the same queue entry only by name.
        """
        persistence, made = self.workflow.persistence, {}
        inside = _outputs(job).union(together)
        for each in _single(job):
            inputs = [(str(file), None if str(file) in inside else _stamp(str(file))) for file in each.input]
            # The same that Snakemake compares to decide whether a file is up to date.
            parts = [each.rule.name, persistence._code(each.rule), persistence._params(each), inputs]
            digest = hashlib.sha256(json.dumps(parts).encode("utf-8")).hexdigest()
            made.update((str(file), digest) for file in each.output)
        return made


def _single(job: JobExecutorInterface) -> Iterable[JobExecutorInterface]:
    return job.jobs if job.is_group() else [job]


def _outputs(job: JobExecutorInterface) -> set[str]:
    return {str(file) for each in _single(job) for file in each.output}


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def _printed(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout
