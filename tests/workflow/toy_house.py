"""A git repository with the toy workflow and the project's own versioning, and clones of it."""

import hashlib
import os
import pwd
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.workflow.house import ROOT, Workplace

HOUSE = ["dvc.yaml", ".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore", "profiles"]
CODE = ["scripts/__init__.py", "scripts/lib", "scripts/versioning"]
TOY = ROOT / "tests/workflow/toy"
OTHER = "nobody"
"""An ordinary user, for tests run by root."""


@cache
def can_switch() -> bool:
    """Whether tests can also run as an ordinary user: needs root, and a Python that the user may run."""
    if os.getuid() or not shutil.which("setpriv") or OTHER not in {each.pw_name for each in pwd.getpwall()}:
        return False
    again = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import dvc, snakemake'], check=True)"
    return (
        subprocess.run([*acting_as(OTHER), sys.executable, "-c", again], cwd="/", capture_output=True).returncode == 0
    )


def acting_as(user: str) -> list[str]:
    return ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"]


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(source, target, follow_symlinks=False)


class Checkout(Workplace):
    """One clone, and the user who works in it."""

    def __init__(self, folder: Path, user: str | None = None) -> None:
        self.folder, self.user = folder, user

    @classmethod
    def build(cls, folder: Path) -> "Checkout":
        """A new repository with one commit, in which nothing has run."""
        for part in [*HOUSE, *CODE]:
            copy(ROOT / part, folder / part)
        copy(TOY, folder)
        made = cls(folder)
        made("git", "init", "--quiet", "--initial-branch", "main")
        made.commit("start")
        return made

    @classmethod
    def recorded(cls, folder: Path) -> "Checkout":
        """A new repository in ``folder``, run, recorded, and pushed to a remote next to it."""
        made = cls.build(folder / "house")
        made.snakemake()
        made.versioning("record")
        made.dvc("remote", "add", "--default", "folder", str(folder / "remote"))
        made.dvc("push")
        made.commit("recorded")
        return made

    def __call__(self, *command: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess:
        """Run a command in the checkout as its user; ``python`` is the one that runs the tests."""
        words = [sys.executable if word == "python" else word for word in command]
        home = self.folder.parent / f"home-{self.user}"
        home.mkdir(exist_ok=True)
        if self.user:
            shutil.chown(home, self.user)
            words = [*acting_as(self.user), *words]
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(home),
            "GIT_AUTHOR_NAME": "A",
            "GIT_AUTHOR_EMAIL": "a@example.org",
            "GIT_COMMITTER_NAME": "A",
            "GIT_COMMITTER_EMAIL": "a@example.org",
            "DVC_NO_ANALYTICS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            **environment,
        }
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, env=environment)
        assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}{done.stderr[-5000:]}"
        return done

    def versioning(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        return self("python", "-m", "scripts.versioning", *arguments, check=check)

    def snakemake(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        return self("python", "-m", "snakemake", "--cores", "2", *arguments, check=check)

    def dvc(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        return self("python", "-m", "dvc", *arguments, check=check)

    def commit(self, message: str) -> None:
        self("git", "add", "--all")
        self("git", "commit", "--quiet", "--message", message)

    def clone(self, folder: Path, user: str | None = None, link: str = "") -> "Checkout":
        """A fresh clone that belongs to a user, with its own cache type."""
        subprocess.run(["git", "clone", "--quiet", str(self.folder), str(folder)], check=True)
        made = Checkout(folder, user)
        if link:
            (folder / ".dvc/config.local").write_text(f"[cache]\n    type = {link}\n")
        if user:
            subprocess.run(["chown", "--recursive", user, str(folder)], check=True)
        return made

    def results(self) -> dict[str, bytes]:
        folder = self.folder / "results"
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != ".snakemake_timestamp"
        }

    def altered_in_cache(self) -> list[str]:
        """Files of the cache whose content does not match their name, the content's MD5."""
        found = (self.folder / ".dvc/cache/files/md5").rglob("*")
        # files that DVC did not finish have hidden names there, and are never read
        files = [path for path in found if path.is_file() and path.suffix != ".tmp"]
        assert files, "an empty cache proves nothing"
        return [
            str(path)
            for path in files
            if hashlib.md5(path.read_bytes()).hexdigest() != (path.parent.name + path.name).removesuffix(".dir")
        ]
