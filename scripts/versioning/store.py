"""Calls DVC: commit, pull, unprotect, changes."""

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.lib.disk import replacing
from scripts.lib.errors import InputError

STAGE = "atlas"
LOCK = "dvc.lock"
BEFORE = ".dvc/tmp/before.dvc.lock"
"""Copy of dvc.lock from before a record began, empty if there was none. It exists only while a record runs."""


def dvc(root: Path, *arguments: str) -> None:
    """Run `dvc <arguments>`, showing its messages. Raises InputError if it fails."""
    _name_user()
    done = subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=root)
    if done.returncode:
        raise InputError(f"dvc {arguments[0]}", f"ended with status {done.returncode}", "fix the error shown above")


def commit(root: Path) -> None:
    """Hash the outputs of the stage into the cache and dvc.lock; the files themselves are left unchanged.

    DVC writes dvc.lock in place, and none of its commands can read a truncated one: if it fails or is killed, the
    previous lock is restored.
    """
    _put_back(root)
    lock = root / LOCK
    with replacing(root / BEFORE) as copy:
        copy.write_bytes(lock.read_bytes() if lock.exists() else b"")
    try:
        dvc(root, "commit", "--quiet", "--force", "--no-relink", STAGE)
    except InputError:
        _put_back(root)
        raise
    (root / BEFORE).unlink()


def _put_back(root: Path) -> None:
    """Restore dvc.lock to its state before a record that did not finish, if there is one."""
    before = root / BEFORE
    if before.exists() and before.stat().st_size:
        os.replace(before, root / LOCK)
    elif before.exists():
        (root / LOCK).unlink(missing_ok=True)
        before.unlink()


def pull(root: Path, paths: Sequence[str]) -> None:
    """Bring all outputs or some from the default remote, or only from the cache if no remote is set.

    DVC 3.67 keeps an index of what a pull needs without the paths given to it: after two partial pulls it takes the
    part for the whole, fetches nothing more, and deletes the folder. So the index is dropped first.
    """
    from dvc.repo import Repo

    _name_user()
    with Repo(root) as repo:
        repo.drop_data_index()
    dvc(root, "pull" if has_remote(root) else "checkout", *paths)


def has_remote(root: Path) -> bool:
    return bool(_text(root, "config", "core.remote", empty=True))


def cache(root: Path) -> Path:
    """The folder with the files of DVC's cache, named by their MD5."""
    from dvc.repo import Repo

    _name_user()
    with Repo(root) as repo:
        return Path(repo.cache.local.path)


def unprotect(root: Path, path: str) -> None:
    """Replace links to the cache by separate writable files."""
    dvc(root, "unprotect", path)


def changes(root: Path) -> dict[str, list[str]]:
    """How the files here differ from the recorded ones: added, modified, deleted. Folders themselves are left out."""
    found: dict[str, Any] = json.loads(_text(root, "data", "status", "--granular", "--json"))
    kinds = ("added", "modified", "deleted")
    return {kind: [path for path in found.get("uncommitted", {}).get(kind, []) if path[-1] != "/"] for kind in kinds}


def _text(root: Path, *arguments: str, empty: bool = False) -> str:
    """The output of `dvc <arguments>`; with ``empty``, an empty text if it fails."""
    _name_user()
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if done.returncode and not empty:
        print(done.stderr, end="", file=sys.stderr)
        raise InputError(f"dvc {arguments[0]}", f"ended with status {done.returncode}", "fix the error shown above")
    return "" if done.returncode else done.stdout


def _name_user() -> None:
    """DVC asks for the user's name, and fails for an id without one (in containers) unless USER is set."""
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        os.environ.setdefault("USER", str(os.getuid()))
