"""The artifacts that the DAG declares, as told by Snakemake itself, and whether all exist and are up to date."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from scripts.lib.errors import InputError

STORE = "results"
"""The folder that dvc.yaml stores; artifacts outside it would not be versioned."""
COLUMNS = ["output_file", "date", "rule", "log-file(s)", "status", "plan"]
SHOWN = 10


@dataclass(frozen=True)
class Artifact:
    """One output file of one job: its state on disk, and whether its job would run."""

    path: str
    rule: str
    status: str
    pending: bool

    @property
    def missing(self) -> bool:
        return self.status == "missing"


def parse_summary(text: str) -> list[Artifact]:
    """The artifacts in the output of `snakemake --summary`, without files that Snakemake deletes itself (temp)."""
    lines = text.splitlines()
    header = "\t".join(COLUMNS)
    if header not in lines:
        raise InputError("snakemake --summary", "printed no table", "see the messages above")
    rows = [line.split("\t") for line in lines[lines.index(header) + 1 :] if line]
    return [
        Artifact(path, rule, status, plan != "no update")
        for path, _, rule, _, status, plan in rows
        if status != "removed temp file"
    ]


def declared(root: Path, arguments: Sequence[str] = ()) -> list[Artifact]:
    """Every output of every job of the DAG that `snakemake <arguments>` builds, intermediate ones included."""
    command = [sys.executable, "-m", "snakemake", "--summary", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr, end="", file=sys.stderr)
        raise InputError("snakemake --summary", "could not build the DAG", "fix the error shown above")
    return parse_summary(done.stdout)


def check_complete(artifacts: Sequence[Artifact], remedy: str) -> None:
    """Raises InputError unless every artifact exists, is up to date, and is in the store."""
    for problem, found in [
        (f"not under {STORE}/, so they would not be versioned", [a for a in artifacts if not in_store(a.path)]),
        ("not there", [a for a in artifacts if a.missing]),
        ("not up to date", [a for a in artifacts if a.pending and not a.missing]),
    ]:
        if found:
            raise InputError(
                "the DAG", f"{len(found)} of {len(artifacts)} artifacts are {problem}:\n{shown(found)}", remedy
            )


def shown(artifacts: Sequence[Artifact]) -> str:
    """The first few, one per line."""
    lines = [f"  {a.path} (rule {a.rule}: {a.status})" for a in artifacts[:SHOWN]]
    return "\n".join([*lines, *([f"  and {len(artifacts) - SHOWN} more"] if len(artifacts) > SHOWN else [])])


def in_store(path: str) -> bool:
    return PurePosixPath(os.path.normpath(path)).parts[0] == STORE


def any_protected(root: Path, paths: Iterable[str]) -> bool:
    """Whether Snakemake would refuse to replace any of some files: not a symlink, and not writable."""
    found = (root / path for path in paths)
    return any(path.exists() and not path.is_symlink() and not os.access(path, os.W_OK) for path in found)


def stored_files(root: Path) -> list[str]:
    """Every file in the store, by its path relative to root."""
    found = (path for path in (root / STORE).rglob("*") if path.is_symlink() or path.is_file())
    return sorted(path.relative_to(root).as_posix() for path in found if path.name != ".snakemake_timestamp")


def by_folder(paths: Iterable[str]) -> dict[str, int]:
    """The number of files in each folder directly under the store; files in the store itself count under its name."""
    parts = (PurePosixPath(path).parts for path in paths)
    return dict(sorted(Counter("/".join(part[:2]) if len(part) > 2 else STORE for part in parts).items()))
