"""Ends a step together with the Snakemake process that started it, even if that was killed outright (promise P5).

Without this, the jobs of a killed Snakemake keep running, and the next call starts the same jobs in parallel.
"""

import os
import select
import signal
import threading

SNAKEMAKE = "PREFATLAS_SNAKEMAKE"
"""Set by rules/common.smk to the id of the process that starts the jobs."""
ASKED = "PREFATLAS_ASKED"
"""Environment variable: the suites that policies are asked, for scripts/evaluation/prompts.py; unset by hand."""


def end_with_snakemake() -> None:
    """Watch the process named by SNAKEMAKE, if any; when it ends, kill this process."""
    if not (named := os.environ.get(SNAKEMAKE)):
        return
    try:
        watched = os.pidfd_open(int(named))
    except OSError:  # in another container, or no pidfds (Linux before 5.3)
        return
    threading.Thread(target=_watch, args=(watched,), daemon=True).start()


def _watch(watched: int) -> None:
    select.select([watched], [], [])
    os.kill(os.getpid(), signal.SIGKILL)
