"""File times of the future, which a clock that was ahead leaves behind.

Snakemake ends a job whose output is older than its input. Contents decide what is up to date (promise P3), so that a
time may be set to now without harm.
"""

import os
import time
from collections.abc import Iterable
from pathlib import Path


def bring_back(files: Iterable[str]) -> int:
    """Set the times of the files among these that lie in the working folder and in the future to now; how many."""
    now, found = time.time(), 0
    for path in map(Path, set(files)):
        if not path.is_absolute() and path.is_file() and path.stat().st_mtime > now:
            os.utime(path, (now, now))
            found += 1
    return found
