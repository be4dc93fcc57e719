"""Resets file times that lie in the future, as a clock that was ahead leaves them.

Snakemake ends a job whose output is older than its input. Contents decide what is up to date (promise P3), so setting
a time to now is safe.
"""

import os
import time
from collections.abc import Iterable
from pathlib import Path


def bring_back(files: Iterable[str]) -> int:
    """Set future times of those files that are in the working folder to now; returns how many."""
    now, found = time.time(), 0
    for path in map(Path, set(files)):
        if not path.is_absolute() and path.is_file() and path.stat().st_mtime > now:
            os.utime(path, (now, now))
            found += 1
    return found
