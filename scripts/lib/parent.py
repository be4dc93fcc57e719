"""A step ends with the Snakemake that started it, even one that was killed outright (promise P5).

Without this, the jobs of a killed Snakemake go on alone, and the next one starts the same jobs beside them.
"""

import os
import select
import signal
import threading

SNAKEMAKE = "PREFATLAS_SNAKEMAKE"
"""Where rules/common.smk leaves the id of the process that starts the jobs."""


def end_with_snakemake() -> None:
    """Watch the process that SNAKEMAKE names, if any; when it ends, this process is killed."""
    if not (named := os.environ.get(SNAKEMAKE)):
        return
    try:
        watched = os.pidfd_open(int(named))
    except OSError:  # not of this container, or a system without pidfds (Linux before 5.3)
        return
    threading.Thread(target=_watch, args=(watched,), daemon=True).start()


def _watch(watched: int) -> None:
    select.select([watched], [], [])
    os.kill(os.getpid(), signal.SIGKILL)
