"""Stores a digest of a Parquet file in its own footer, so that later damage or change is detected.

Parquet's own page checksums leave out its headers and footer. Here every byte counts: the SHA-256 is computed over the
file with zeros in place of the digest.
"""

import hashlib
import re
from pathlib import Path

KEY = "prefatlas.sha256"
BLANK = "0" * 64
TAIL = 1 << 16
"""Bytes at the end of a file in which the digest is searched: the last footer entry and what follows it."""
BLOCK = 1 << 20

_ENTRY = re.compile(rb"prefatlas\.sha256.{1,8}?([0-9a-f]{64})", re.DOTALL)


def seal(path: Path) -> None:
    """Write the digest into a file whose footer holds BLANK under KEY."""
    at, _ = _entry(path)
    digest = _digest(path, at)
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(digest)


def is_whole(path: Path) -> bool:
    """Whether a file is unchanged since it was sealed. False also for a file that never was sealed."""
    if (found := _entry(path)) is None:
        return False
    at, digest = found
    return digest == _digest(path, at)


def _entry(path: Path) -> tuple[int, bytes] | None:
    """The digest's position and value."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        start = max(0, size - TAIL)
        file.seek(start)
        found = list(_ENTRY.finditer(file.read()))
    return (start + found[-1].start(1), found[-1][1]) if found else None


def _digest(path: Path, at: int) -> bytes:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        position = 0
        while block := bytearray(file.read(BLOCK)):
            for each in range(max(at, position), min(at + len(BLANK), position + len(block))):
                block[each - position] = ord("0")
            digest.update(block)
            position += len(block)
    return digest.hexdigest().encode("ascii")
