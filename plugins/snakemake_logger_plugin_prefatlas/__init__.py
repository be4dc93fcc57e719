"""Progress of a run on the terminal: phases, jobs done, time left. `snakemake --logger prefatlas`.

On a terminal, a block at the bottom is redrawn: one bar per phase, what is running, the time left. Elsewhere every
finished job is one line. Both print an error in full: rule, files, command, the end of its log; after Ctrl-C none, for
its jobs were told to end. Snakemake's own log under .snakemake/log is unchanged, and so is a dry run's output. The
environment variable PREFATLAS_PHASES, a JSON object, gives the phase of each rule; without it there is one phase.
"""

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Mapping
from logging import ERROR, WARNING, LogRecord
from pathlib import Path
from textwrap import dedent
from typing import Any

from snakemake.logging import ColorizingTextHandler
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_prefatlas.progress import (
    NO_PHASE,
    Job,
    Left,
    Progress,
    read_durations,
    write_durations,
)

DURATIONS = Path(".snakemake/durations.json")
"""Seconds per job of each rule, for the next run in this folder."""
LOG_TAIL = 40
"""Number of lines shown from the end of a failed job's log."""
BAR = 24
NOISE = (
    "Assuming unrestricted shared filesystem",
    "host:",
    "Using shell:",
    "Provided cores:",
    "Provided resources:",
    "Rules claiming more threads",
    "Select jobs to execute",
    "Execute ",
    "Building DAG of jobs",
    "Conda environments: ignored",
)
INTERRUPTED = "Terminating processes on user request"
"""How Snakemake's message begins when it ends its jobs because of Ctrl-C."""
SHOWN_OTHERWISE = (
    LogEvent.GROUP_INFO,
    LogEvent.PROGRESS,
    LogEvent.JOB_STARTED,
    LogEvent.WORKFLOW_STARTED,
    LogEvent.RESOURCES_INFO,
)
GREEN, YELLOW, RED, FAINT, PLAIN = "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[2m", "\x1b[0m"


def duration(seconds: float) -> str:
    """A duration as people write it: 8 s, 3 min, 2 h 05 min."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def left_in_words(left: Left | None) -> str:
    if left is None or (left.at_least and left.seconds < 1):
        return "time left unknown yet"
    return f"{'at least' if left.at_least else 'about'} {duration(left.seconds)} left"


def tail(path: str) -> list[str]:
    """The end of a log file, or a line that says why there is none."""
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        return [f"(no log: {error.strerror})"]
    cut = [f"(… {len(lines) - LOG_TAIL} lines before)"] if len(lines) > LOG_TAIL else []
    return [*cut, *lines[-LOG_TAIL:]] or ["(empty)"]


def failure(told: Mapping[str, Any]) -> str:
    """Everything needed to understand a job's failure, of what Snakemake tells about it."""
    get = told.get
    lines = [f"Error in rule {get('rule_name')}" + (f": {get('rule_msg')}" if get("rule_msg") else "")]
    lines += [f"    {name}: {', '.join(map(str, get(name)))}" for name in ("input", "output") if get(name)]
    if get("shellcmd"):
        lines += ["    command:", *(f"        {line}" for line in dedent(str(get("shellcmd"))).strip().splitlines())]
    for path in map(str, get("log") or []):
        lines += [f"    log {path}:", *(f"        {line}" for line in tail(path))]
    return "\n".join(lines)


def failure_of_group(told: Mapping[str, Any]) -> str:
    """The same for the jobs of a queue entry, of which Snakemake knows only that some have failed: the end of the
    entry's own log, which says if the cluster ended it, and the jobs that have a log and lack an output."""
    jobs = told["job_error_info"]
    done = [job for job in jobs if job["output"] and all(map(os.path.exists, job["output"]))]
    failed = [job for job in jobs if job not in done and any(map(os.path.exists, job["log"]))]
    others = f"{len(done)} of {len(jobs)} jobs were done, {len(jobs) - len(done) - len(failed)} had not begun"
    lines = [f"Error in group {told['groupid']}: {others}"]
    for path in map(str, told["aux_logs"]):
        lines += [f"    log {path}:", *(f"        {line}" for line in tail(path))]
    return "\n".join([*lines, *map(failure, failed)])


class LogHandler(LogHandlerBase):
    """Turns Snakemake's log records into progress; see the module's docstring."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = False
    has_formatter = False
    needs_rulegraph = False

    def __post_init__(self) -> None:
        self.stream = sys.stdout if self.common_settings.stdout else sys.stderr
        if hasattr(self.stream, "reconfigure"):
            self.stream.reconfigure(errors="replace")
        self.own = ColorizingTextHandler(self.common_settings.nocolor, self.stream)
        self.progress = Progress()
        self.live = self.stream.isatty() and os.environ.get("TERM") != "dumb" and not self.common_settings.dryrun
        self.colour = self.live and not self.common_settings.nocolor and "NO_COLOR" not in os.environ
        self.drawn = 0
        self.interrupted = False
        self.durations = DURATIONS.absolute()
        self.stopped = threading.Event()
        if self.live:
            threading.Thread(target=self._tick, daemon=True).start()

    def emit(self, record: LogRecord) -> None:
        try:
            self._take(record, getattr(record, "event", None))
        except BrokenPipeError:
            raise
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        self.stopped.set()
        if any(self.progress.done.values()) and self.durations.parent.is_dir():
            write_durations(self.progress.durations(), self.durations)
        with self.lock:
            self.drawn = 0
        super().close()

    def _take(self, record: LogRecord, event: LogEvent | None) -> None:
        if self.common_settings.dryrun:
            self.own.setFormatter(self.formatter)
            self.own.emit(record)
        elif self.interrupted and record.levelno >= ERROR:
            pass
        elif event == LogEvent.RUN_INFO:
            phases = json.loads(os.environ.get("PREFATLAS_PHASES", "{}"))
            self.progress.plan(record.__dict__["stats"], phases, read_durations(self.durations))
            self._print(f"{self.progress.counts[1]} jobs to do")
        elif event == LogEvent.JOB_INFO:
            data = record.__dict__
            wildcards = tuple(str(value) for value in data["wildcards"].values())
            self.progress.start(data["jobid"], Job(data["rule_name"], wildcards, record.created))
            self._draw()
        elif event == LogEvent.JOB_FINISHED:
            if finished := self.progress.finish(record.__dict__["job_id"], record.created):
                self._finished(*finished, record.created)
        elif event == LogEvent.JOB_ERROR:
            self.progress.fail(record.__dict__["jobid"])
            if not record.__dict__.get("indent"):  # else one of a group, told together
                self._print(failure(record.__dict__), RED)
        elif event == LogEvent.GROUP_ERROR:
            for job in record.__dict__["job_error_info"]:
                self.progress.fail(job["jobid"])
            self._print(failure_of_group(record.__dict__), RED)
        elif event in SHOWN_OTHERWISE:
            pass
        elif (text := self.format(record)) and text != "None":
            self.interrupted |= text.startswith(INTERRUPTED)
            if record.levelno >= WARNING:
                self._print(text, YELLOW if record.levelno == WARNING else RED)
            elif event is not None or not text.startswith(NOISE):
                self._print(text)

    def _finished(self, job: Job, seconds: float, now: float) -> None:
        if self.live:
            self._draw()
            return
        done, total = self.progress.counts
        phase = self.progress.phase_of.get(job.rule, NO_PHASE)
        left = "" if done == total else f" · {left_in_words(self.progress.left(now))}"
        self._print(f"[{done:>{len(str(total))}}/{total}] {phase:<11} {job} ({duration(seconds)}){left}")

    def _print(self, text: str, colour: str = "") -> None:
        """Print text above the block."""
        text = f"{colour}{text}{PLAIN}" if colour and self.colour else text
        self.stream.write(f"{self._erase()}{text}\n")
        self._draw()
        self.stream.flush()

    def _draw(self) -> None:
        """Draw the block in place of the previous one."""
        if not self.live or self.stopped.is_set() or not self.progress.total:
            return
        lines = self.block(time.time(), shutil.get_terminal_size())
        self.stream.write(self._erase() + "".join(f"{line}\n" for line in lines))
        self.stream.flush()
        self.drawn = len(lines)

    def _erase(self) -> str:
        above, self.drawn = self.drawn, 0
        return f"\x1b[{above}F\x1b[J" if above else ""

    def block(self, now: float, size: os.terminal_size) -> list[str]:
        """The lines to show: one bar per phase, and a summary. Never wider or higher than the terminal."""
        done, total = self.progress.counts
        elapsed = duration(now - self.progress.first) if self.progress.first else "0 s"
        left = f" · {left_in_words(self.progress.left(now))}" if self.progress.running else ""
        failed = f" · {len(self.progress.failed)} failed" if self.progress.failed else ""
        lines = []
        for phase, (ended, of, running) in self.progress.by_phase().items():
            full = BAR * ended // of
            bar = "█" * full + "░" * (BAR - full)
            now_running = ", ".join(map(str, running))
            text = f"{phase:<11} {bar} {ended:>4}/{of:<4} {now_running}"[: size.columns - 1].rstrip()
            lines.append(self._tinted(text, GREEN if ended == of else "" if running else FAINT))
        lines.append(f"{done} of {total} jobs · {elapsed} elapsed{left}{failed}"[: size.columns - 1])
        return lines if len(lines) < size.lines else lines[-1:]

    def _tinted(self, text: str, colour: str) -> str:
        return f"{colour}{text}{PLAIN}" if colour and self.colour else text

    def _tick(self) -> None:
        while not self.stopped.wait(1.0):
            with self.lock:
                if self.progress.running:
                    self._draw()
