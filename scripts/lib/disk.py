"""Files that replace others whole or not at all, and what is said when a disk will not take them (promise P5)."""

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
    """Turn a full or closed disk, met while ``path`` is written, into an InputError. Other errors pass."""
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
    """The system's error behind an exception: torch raises its own over it, safetensors gives its number in words."""
    while error is not None:
        if isinstance(error, OSError) and error.errno:
            return error.errno
        if found := re.search(r"\(os error (\d+)\)", str(error)):
            return int(found[1])
        error = error.__cause__ or error.__context__
    return None


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends without an error.

    InputError: the disk is full or may not be written.
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
    """A hidden name beside ``path`` that is this process's alone. What killed processes left of theirs is deleted."""
    for found in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        process = found.name.split(".")[-2]
        if process.isdigit() and not _alive(int(process)):
            if found.is_dir():
                shutil.rmtree(found, ignore_errors=True)
            else:
                found.unlink(missing_ok=True)
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def clear(folder: Path, ours: re.Pattern[str]) -> None:
    """Delete the files in ``folder`` whose names are ours, and the folder if then empty."""
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
