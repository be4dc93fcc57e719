"""Stored answers of LLMs that cost money, keyed by content, so that none is paid for twice.

One file per LLM and use, ``<kind>-<digest of its identity>.jsonl``: one line that identifies it, then one line per
answer, ``{"key": ..., <field>: ...}``. The key is the digest of the identity and of the texts asked about, independent
of the job that asked.

Lines are appended and flushed to disk one by one, as answers arrive. A line left half-written by a killed job has no
line end, and is cut off. A job holds the file's lock while it asks; the next job waits, and then finds its answers.
"""

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from scripts.lib.disk import told
from scripts.lib.errors import InputError

log = logging.getLogger(__name__)

Row = tuple[str, ...]
"""The texts that one request is about."""
Answer = TypeVar("Answer")


def digest_of(value: Any) -> str:
    """SHA-256 of a value's JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("utf-8")).hexdigest()


class Answers(Generic[Answer]):
    """The answers of one LLM. identity: all that determines them, as JSON values; its ``kind`` begins the file's name.

    field: what an answer is called in the file.
    """

    field: ClassVar[str]

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self.identity = identity
        self._digest = digest_of(identity)
        self.path = folder / f"{identity['kind']}-{self._digest[:16]}.jsonl"

    @staticmethod
    def is_answer(value: Any) -> bool:
        """Whether a JSON value can be an answer."""
        raise NotImplementedError

    def key(self, row: Row) -> str:
        """The key of a request."""
        return digest_of([self._digest, *row])

    def read(self) -> dict[str, Answer]:
        """Key -> answer. Raises InputError for a broken line."""
        known = {}
        for number, line in enumerate(self._lines()[1:], start=2):
            try:
                entry = json.loads(line)
                key, answer = entry["key"], entry[self.field]
                if len(key) != 64 or not self.is_answer(answer):
                    raise ValueError(line)
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f"{self.path}, line {number}", "not an answer", "delete the line; it is asked for again"
                ) from error
            known[key] = answer
        return known

    @contextmanager
    def alone(self) -> Iterator["Ledger[Answer]"]:
        """Lock the file against other jobs, cut off a half-written last line, and allow lines to be appended."""
        with told(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "a+b") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    log.info("waiting for another job that asks the same LLM")
                    fcntl.flock(file, fcntl.LOCK_EX)
                file.truncate(sum(map(len, self._lines())))
                ledger = Ledger(self, file)
                if not os.fstat(file.fileno()).st_size:
                    ledger.write({"asked": self.identity})
                yield ledger

    def _lines(self) -> list[bytes]:
        """The complete lines, each with its line end."""
        if not self.path.exists():
            return []
        return [line for line in self.path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


class Ledger(Generic[Answer]):
    """A file of answers, open for appending."""

    def __init__(self, answers: Answers[Answer], file: Any) -> None:
        self._answers = answers
        self._file = file

    def add(self, row: Row, answer: Answer) -> None:
        """Store an answer."""
        if not self._answers.is_answer(answer):
            raise ValueError(f"an answer of {answer}")
        self.write({"key": self._answers.key(row), self._answers.field: answer})

    def write(self, entry: dict[str, Any]) -> None:
        """Append one line and flush it to disk."""
        self._file.write(json.dumps(entry).encode("utf-8") + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
