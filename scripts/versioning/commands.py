"""The commands of `python -m scripts.versioning`: record, restore, status and run.

scripts.versioning.provenance imports Snakemake and the tables, a second or two that status does not need.
"""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.lib.errors import InputError
from scripts.versioning import artifacts, integrity, store
from scripts.versioning.artifacts import Artifact, by_folder
from scripts.versioning.seen import PROVENANCE, RECORD, is_seen


def record(root: Path, arguments: Sequence[str]) -> None:
    """Store every artifact of the DAG of `snakemake <arguments>`, and how each was made.

    Refuses, listing names, while an artifact is missing, stale, incomplete or not made by Snakemake.
    """
    outside = _write_provenance(root, arguments)
    store.commit(root)
    for path in _unversioned(root, outside):
        _say(f"not versioned here: {path}, which a job reads; whoever restores needs it too")
    _say("recorded. Share it: git add -A && git commit, then dvc push")


def restore(root: Path, paths: Sequence[str]) -> None:
    """Bring back the recorded artifacts, or those under some paths, with Snakemake's records of them; check both."""
    from scripts.versioning import provenance

    recorded = provenance.read_record(root)
    provenance.records_of(root)  # fails while Snakemake is running here
    _pull_whole(root, [*paths, PROVENANCE] if paths else [])
    jobs = provenance.read_jobs(root)
    if artifacts.any_protected(root, [path for job in jobs for path in job["outputs"]]):
        _say("hard links to the cache would keep Snakemake from replacing these files: making copies")
        store.unprotect(root, artifacts.STORE)
    for path in provenance.adopt(root, jobs):
        _say(f"differs from what was recorded: {path}")
    found = artifacts.declared(root, recorded["arguments"])
    missing = [each for each in found if each.missing]
    pending = [each for each in found if each.pending and not each.missing]
    _say(f"{len(found) - len(missing)} of {len(found)} artifacts are here")
    if missing:
        _tell_missing(missing)
    if pending:
        _say(f"{len(pending)} of them are not what this configuration and code would make:\n{artifacts.shown(pending)}")
    if not paths:
        arguments = _as_recorded(recorded["arguments"])
        artifacts.check_complete(found, f"snakemake --cores all{arguments} makes them")
        _say(f"complete: `snakemake -n{arguments}` has nothing to do")


def _pull_whole(root: Path, paths: Sequence[str]) -> None:
    """Pull, then read everything and pull damaged files again. Raises InputError if they still are damaged."""
    cache = store.cache(root)
    integrity.drop_listings(root, cache)
    store.pull(root, paths)
    if not (found := integrity.damaged(root, cache, paths)):
        return
    _say(f"{len(found)} files were damaged, here or in the cache, and are pulled again:\n  " + "\n  ".join(found))
    integrity.drop(root, cache, found)
    if store.has_remote(root):
        store.pull(root, paths)
        found = integrity.damaged(root, cache, paths)
        integrity.drop(root, cache, found)
    if found:
        copies = ", ".join(f"{path} (files/md5/{md5[:2]}/{md5[2:]})" for path, md5 in found.items())
        raise InputError(
            copies,
            "no undamaged copy here or in the remote",
            "delete these files from the remote and dvc push from a clone that has them whole; or make them again with "
            "snakemake",
        )


def status(root: Path) -> None:
    """Report how results/ differs from what was last recorded."""
    if not (root / RECORD).exists():
        _say("nothing was recorded yet")
        return
    recorded = json.loads((root / RECORD).read_text(encoding="utf-8"))
    _say(
        f"recorded: {recorded['artifacts']} artifacts by snakemake {recorded['snakemake']}"
        + _as_recorded(recorded["arguments"])
    )
    changes = store.changes(root)
    for kind, word in [("deleted", "not here"), ("modified", "changed since"), ("added", "not recorded")]:
        for folder, count in by_folder(changes[kind]).items():
            _say(f"{word}: {count} in {folder}")
    if not is_seen(root):
        _say(f"{PROVENANCE} is not yet known to Snakemake: python -m scripts.versioning restore")
    elif not any(changes.values()):
        _say("results/ is as recorded")


def run(root: Path) -> None:
    """Run Snakemake as recorded, and write the provenance: the command of DVC's stage.

    Uses all cores, or the profile named by SNAKEMAKE_PROFILE. Fails unless the DAG is complete afterwards, so that DVC
    never takes a part for the whole.
    """
    from scripts.versioning import provenance

    arguments = provenance.read_record(root)["arguments"] if (root / RECORD).exists() else []
    if not is_seen(root):
        provenance.adopt(root, provenance.read_jobs(root))
    cores = [] if os.environ.get("SNAKEMAKE_PROFILE") else ["--cores", "all"]
    done = subprocess.run([sys.executable, "-m", "snakemake", *cores, *arguments], cwd=root)
    if done.returncode:
        raise InputError("snakemake", f"ended with status {done.returncode}", "fix the error shown above")
    _write_provenance(root, arguments)


def _write_provenance(root: Path, arguments: Sequence[str]) -> list[str]:
    from scripts.versioning import provenance

    found = artifacts.declared(root, arguments)
    missing = any(each.missing and not each.pending for each in found)
    artifacts.check_complete(
        found,
        "results/ has only a part of what was recorded: python -m scripts.versioning restore brings back the rest"
        if missing
        else f"snakemake --cores all{_as_recorded(arguments)} makes them",
    )
    declared, stored = [each.path for each in found], artifacts.stored_files(root)
    outside = provenance.write(root, arguments, declared, stored)
    _say(f"{len(declared)} artifacts, all there and up to date")
    if extra := set(stored) - set(declared):
        folders = ", ".join(f"{count} in {folder}" for folder, count in by_folder(extra).items())
        _say(f"{len(extra)} more files, which other configurations or targets made, are stored with them: {folders}")
    return outside


def _tell_missing(missing: Sequence[Artifact]) -> None:
    folders = ", ".join(f"{count} in {folder}" for folder, count in by_folder(each.path for each in missing).items())
    _say(
        f"{len(missing)} are not here: {folders}\n"
        "this is a part: `snakemake -n` cannot vouch for it, and it can be read but not recorded"
    )


def _unversioned(root: Path, paths: Sequence[str]) -> list[str]:
    """Those of some files that git does not track, however their paths are spelt; a tracked link is not its target."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True)
    names = (os.fsdecode(name) for name in done.stdout.split(b"\0") if name)
    tracked = {os.path.realpath(root / name) for name in names if not (root / name).is_symlink()}
    return sorted(path for path in set(paths) if os.path.realpath(root / path) not in tracked)


def _as_recorded(arguments: Sequence[str]) -> str:
    return f" {shlex.join(arguments)}" if arguments else ""


def _say(line: str) -> None:
    print(line, flush=True)
