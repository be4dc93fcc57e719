"""Sets up warm starts (scripts/warm) for the rules: where steps find them, and from how many jobs on they pay off."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
from snakemake import benchmark

from scripts.warm import protocol

LEAST = 8
"""A warm process imports for as long as three jobs do; it is started for at least this many jobs."""
SERVER = Path(protocol.__file__).with_name("server.py")


def prepare(repository: Path) -> None:
    """Put scripts/warm/bin first in the PATH of this Snakemake's jobs, on systems that have warm starts."""
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        return
    found = [str(repository / "scripts/warm/bin"), *os.environ["PATH"].split(os.pathsep)]
    os.environ["PATH"] = os.pathsep.join(dict.fromkeys(found))
    os.environ[protocol.PYTHON] = sys.executable
    os.environ.pop(protocol.WARM, None)  # a Snakemake around this one has a warm process of its own
    benchmark.BenchmarkTimer = Timer


def start_for(jobs: int) -> None:
    """Start a warm process for the steps of this Snakemake if there are enough jobs and none serves it yet."""
    if protocol.PYTHON not in os.environ or protocol.WARM in os.environ or jobs < LEAST:
        return
    os.environ[protocol.WARM] = str(os.getpid())
    # One thread, so that there is none to lose in a fork; a step sets its own number.
    environment = os.environ | dict.fromkeys(protocol.THREADS, "1")
    nowhere = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_RDWR, 0) for stream in range(3)]
    os.posix_spawn(sys.executable, [sys.executable, SERVER], environment, file_actions=nowhere, setsid=True)


def jobs_of_group(arguments: Sequence[str]) -> int:
    """The number of jobs of a queue entry, from its command line: Snakemake parses the rules before it tells."""
    if "--target-jobs" not in arguments:
        return 0
    named = arguments[arguments.index("--target-jobs") + 1 :]
    return next((at for at, each in enumerate(named) if each.startswith("--")), len(named))


class Family(psutil.Process):
    """A job's process. Its children include the warm steps of clients among them.

    A warm step is a child of the warm process: without this, benchmarks would measure only the client.
    """

    def children(self, recursive: bool = False) -> list[psutil.Process]:
        own = super().children(recursive)
        clients = {f"step-{each.pid}" for each in (self, *own)}
        return own + [each for each in psutil.process_iter(["name"]) if each.info["name"] in clients]


class Timer(benchmark.BenchmarkTimer):
    """Snakemake's own timer, for a Family."""

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self.main = Family(self.pid)
