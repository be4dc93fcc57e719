"""How many rows a source has, without reading all of them."""

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from scripts.lib.config.sources import StoredSource
from scripts.sources.rows import files_of


def mean_bytes(first: Sequence[Mapping[str, Any]]) -> float:
    """The mean size of some rows as JSON, in UTF-8."""
    return sum(len(json.dumps(row, ensure_ascii=False, default=str).encode()) for row in first) / len(first)


def rows_in(source: StoredSource, first: Sequence[Mapping[str, Any]], looked: int) -> int:
    """Exactly, where fewer than ``looked`` rows were found, or the files are Parquet; else by the first rows' size.

    first: the rows that were looked at. Of a hub id only those are known.
    """
    files = files_of(source)
    if len(first) < looked or files is None:
        return len(first)
    mean = mean_bytes(first)
    return max(len(first), round(sum(_rows_in(file, mean) for file in files)))


def _rows_in(file: Path, mean: float) -> float:
    name = file.name.lower()
    if name.endswith(".parquet"):
        return pq.ParquetFile(file).metadata.num_rows
    return (_unpacked(file) if name.endswith(".gz") else file.stat().st_size) / mean


def _unpacked(file: Path) -> int:
    """Bytes that a gzip file unpacks to, as its last four bytes say: of less than 4 GB, in one part."""
    with file.open("rb") as opened:
        opened.seek(-4, 2)
        return struct.unpack("<I", opened.read(4))[0]
