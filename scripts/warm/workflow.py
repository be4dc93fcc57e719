"""What the rules ask of warm starts: that steps find them, and that there is a warm process where it pays."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
from snakemake import benchmark

from scripts.warm import protocol

LEAST = 8
"""Jobs of one Snakemake from which on a warm process, whose imports take as long as those of three, pays."""


def prepare(repository: Path) -> None:
    """Let the jobs of this Snakemake find scripts/warm/bin/python first, where there are warm starts at all."""
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        return
    found = [str(repository / "scripts/warm/bin"), *os.environ["PATH"].split(os.pathsep)]
    os.environ["PATH"] = os.pathsep.join(dict.fromkeys(found))
    os.environ[protocol.PYTHON] = sys.executable
    os.environ.pop(protocol.WARM, None)
    benchmark.BenchmarkTimer = Timer


def start_for(jobs: int) -> None:
    """Have the first step start a warm process, if this Snakemake has so many jobs that it pays."""
    if protocol.PYTHON in os.environ and jobs >= LEAST:
        os.environ[protocol.WARM] = "yes"


def jobs_of_group(arguments: Sequence[str]) -> int:
    """How many jobs the Snakemake that one queue entry runs was given: Snakemake parses its rules before it says so."""
    if "--target-jobs" not in arguments:
        return 0
    named = arguments[arguments.index("--target-jobs") + 1 :]
    return next((at for at, each in enumerate(named) if each.startswith("--")), len(named))


class Family(psutil.Process):
    """A job's process, whose children are also the steps that clients among its children wait for.

    A warm step is a child of the warm process: without this, benchmarks would measure the client alone.
    """

    def children(self, recursive: bool = False) -> list[psutil.Process]:
        own = super().children(recursive)
        clients = {f"step-{each.pid}" for each in (self, *own)}
        return own + [each for each in psutil.process_iter(["name"]) if each.info["name"] in clients]


class Timer(benchmark.BenchmarkTimer):
    """Snakemake's, of a family."""

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self.main = Family(self.pid)
