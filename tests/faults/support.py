"""Deliberate faults: damage, kills at every step of a write, full or read-only disks."""

import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.workflow.house import ROOT

OPERATIONS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
"""Python's audit events for file operations (sys.addaudithook)."""


def flip(path: Path, at: int | None = None, bit: int = 0) -> None:
    """Flip one bit, by default in the middle; the file's times and permissions are unchanged."""
    was = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if at is None else at] ^= 1 << bit
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(was.st_mode)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


def truncate(path: Path) -> None:
    """Truncate the file to its first half."""
    os.truncate(path, path.stat().st_size // 2)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file under a folder, by its relative path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def killed_at(work: Callable[[], None], folder: Path, operation: int | None) -> int | None:
    """Do some work in a child process that is killed by SIGKILL just before its n-th file operation under ``folder``.

    Returns None if it was killed; otherwise, as without ``operation``, the number of operations of the whole work.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            seen = [0]

            def watch(event: str, arguments: tuple) -> None:
                if event in OPERATIONS and str(arguments[0]).startswith(str(folder)):
                    if seen[0] == operation:
                        os.kill(os.getpid(), signal.SIGKILL)
                    seen[0] += 1

            sys.addaudithook(watch)
            work()
            os.write(writing, str(seen[0]).encode())
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return None
    assert os.WEXITSTATUS(status) == 0, "the work failed"
    return int(said)


def killed_after(work: Callable[[], None], seconds: float) -> bool:
    """Do some work in a child process, and send it SIGKILL after a time; returns whether it was still running."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)  # at worst a zombie: it is waited for below
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the work failed"
    return os.WIFSIGNALED(status)


def wait_until(true: Callable[[], object], what: str, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)


def started(command: list[str], folder: Path, **environment: str) -> subprocess.Popen:
    """A process in a process group of its own, its output stored in a file next to the folder."""
    with open(folder.parent / "output.txt", "ab") as output:
        return subprocess.Popen(
            [sys.executable if word == "python" else word for word in command],
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )


def at_work(folder: Path) -> list[int]:
    """The processes whose working directory is a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if Path(os.readlink(process / "cwd")) == folder.resolve():
                found.append(int(process.name))
    return found


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A separate file system in memory."""
    folder.mkdir()
    if os.getuid():
        pytest.skip("only root can mount a small disk")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], capture_output=True)
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


def fill(folder: Path, leave: int) -> Path:
    """Fill the disk of a folder except for some bytes; returns the file to delete."""
    ballast = folder / "ballast"
    free = os.statvfs(folder)
    with open(ballast, "wb") as file:
        file.write(b"\0" * max(0, free.f_bavail * free.f_frsize - leave))
    return ballast
