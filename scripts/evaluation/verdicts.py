"""Stored verdicts of judges that cost money, keyed by content, so that none is paid for twice.

One file per judge, ``<kind>-<digest of its identity>.jsonl``: one line that identifies the judge, then one line per
verdict, ``{"key": ..., "preference": ...}``. The key is the digest of (identity, instruction, first output, second
output), independent of policy and suite; a preference of null is an answer that chose neither.

Lines are appended and flushed to disk one by one, as answers arrive. A line left half-written by a killed job has no
line end, and is cut off. A job holds the file's lock while it asks; the next job waits, and then finds its verdicts.
"""

import fcntl
import hashlib
import json
import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scripts.lib.disk import told
from scripts.lib.errors import InputError

log = logging.getLogger(__name__)

Row = tuple[str, str, str]
"""(instruction, first output, second output)."""


def digest_of(value: Any) -> str:
    """SHA-256 of a value's JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("utf-8")).hexdigest()


class Verdicts:
    """The verdicts of one judge. identity: all that determines its verdicts, as JSON values."""

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self.identity = identity
        self._digest = digest_of(identity)
        self.path = folder / f"{identity['kind']}-{self._digest[:16]}.jsonl"

    def key(self, row: Row) -> str:
        """The key of a pair."""
        return digest_of([self._digest, *row])

    def read(self) -> dict[str, float | None]:
        """Key -> preference for the second output, in [1, 2] or None. Raises InputError for a broken line."""
        known = {}
        for number, line in enumerate(self._lines()[1:], start=2):
            try:
                entry = json.loads(line)
                key, preference = entry["key"], entry["preference"]
                if len(key) != 64 or not (preference is None or 1.0 <= preference <= 2.0):
                    raise ValueError(line)
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f"{self.path}, line {number}", "not a verdict", "delete the line; its pair is asked again"
                ) from error
            known[key] = preference
        return known

    @contextmanager
    def alone(self) -> Iterator["Ledger"]:
        """Lock the file against other jobs, cut off a half-written last line, and allow lines to be appended."""
        with told(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "a+b") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    log.info("waiting for another job that asks the same judge")
                    fcntl.flock(file, fcntl.LOCK_EX)
                file.truncate(sum(map(len, self._lines())))
                ledger = Ledger(self, file)
                if not os.fstat(file.fileno()).st_size:
                    ledger.write({"judge": self.identity})
                yield ledger

    def _lines(self) -> list[bytes]:
        """The complete lines, each with its line end."""
        if not self.path.exists():
            return []
        return [line for line in self.path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


class Ledger:
    """A file of verdicts, open for appending."""

    def __init__(self, verdicts: Verdicts, file: Any) -> None:
        self._verdicts = verdicts
        self._file = file

    def add(self, row: Row, preference: float | None) -> None:
        """Store a verdict."""
        if preference is not None and not (math.isfinite(preference) and 1.0 <= preference <= 2.0):
            raise ValueError(f"a preference of {preference}")
        self.write({"key": self._verdicts.key(row), "preference": preference})

    def write(self, entry: dict[str, Any]) -> None:
        """Append one line and flush it to disk."""
        self._file.write(json.dumps(entry).encode("utf-8") + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
