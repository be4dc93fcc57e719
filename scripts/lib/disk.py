"""Atomic file replacement, and readable errors for full or read-only disks (promise P5)."""

import errno
import glob
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.lib.errors import InputError

FULL = {errno.ENOSPC, errno.EDQUOT}
CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def told(path: str | Path) -> Iterator[None]:
    """Turn errors of a full or read-only disk while ``path`` is written into InputError. Other errors pass through."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        number = _system_error(error)
        if number in FULL:
            raise InputError(path, "the disk is full", "free some space and run snakemake again") from error
        if number in CLOSED:
            remedy = "let its folder be written by this user and run snakemake again"
            raise InputError(path, f"may not be written ({os.strerror(number)})", remedy) from error
        raise


def _system_error(error: BaseException | None) -> int | None:
    """The errno behind an exception: torch raises its own error on top, safetensors gives the number in its message."""
    while error is not None:
        if isinstance(error, OSError) and error.errno:
            return error.errno
        if found := re.search(r"\(os error (\d+)\)", str(error)):
            return int(found[1])
        error = error.__cause__ or error.__context__
    return None


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path next to ``path``, renamed to ``path`` if the block ends without an error.

    Raises InputError if the disk is full or read-only.
    """
    path = Path(path)
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_of(path)
        try:
            yield temporary
            with open(temporary, "rb") as written:
                os.fsync(written.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def temporary_of(path: Path) -> Path:
    """A hidden name next to ``path``, unique to this process. Leftovers of processes that no longer run are deleted."""
    for found in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        process = found.name.split(".")[-2]
        if process.isdigit() and not _alive(int(process)):
            if found.is_dir():
                shutil.rmtree(found, ignore_errors=True)
            else:
                found.unlink(missing_ok=True)
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def clear(folder: Path, ours: re.Pattern[str]) -> None:
    """Delete the files in ``folder`` whose names match ``ours``, and the folder itself if it is then empty."""
    if not folder.is_dir():
        return
    for file in folder.iterdir():
        if ours.fullmatch(file.name):
            file.unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
