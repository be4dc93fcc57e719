"""Stores how each artifact was made, from Snakemake's own records, in one file that travels with the artifacts.

Snakemake keeps one record per output under .snakemake/: rule, code, parameters, inputs and their checksums. Without
them it reruns a clone by file times, that is, at random, and overlooks changed parameters. ``distil`` extracts them,
without times and job numbers, so that equal results have equal provenance; ``adopt`` puts them back.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from snakemake import __version__ as snakemake_version
from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord
from snakemake.persistence.file import FilePersistence

from scripts.lib.errors import InputError
from scripts.lib.tables import write_json
from scripts.versioning.artifacts import SHOWN, STORE, in_store
from scripts.versioning.seen import PROVENANCE, RECORD, see

FORGOTTEN = {"starttime", "endtime", "job_hash", "external_jobid", "incomplete", "log", "shellcmd"}
"""Fields of a record that say when and where, or that others imply; no rerun decision depends on them."""
LONG_AGO = 1_000_000_000.0
"""A file time older than that of any file here (September 2001)."""


def records_of(root: Path) -> FilePersistence:
    """Snakemake's own access to its records. Raises InputError while Snakemake runs in this folder."""
    records = FilePersistence(nolock=True, path=root / ".snakemake")
    if any(records._read_locks()):
        raise InputError(
            root / ".snakemake/locks",
            "Snakemake runs in this folder, or was killed in it",
            "wait for it to end; if none runs: snakemake --unlock",
        )
    return records


def distil(root: Path, declared: Sequence[str], stored: Iterable[str]) -> list[dict[str, Any]]:
    """Snakemake's records of all stored files: one entry for the outputs of each job, in order.

    Raises InputError for declared artifacts that are incomplete or have no record in this Snakemake's format, and for
    stored files that no rule made.
    """
    records = records_of(root)
    if found := records._filter_incomplete_keys(declared):
        raise _refused(found, "a killed job left them incomplete", "run snakemake again; it makes them again")
    jobs: dict[str, dict[str, Any]] = {}
    unknown = []
    for path in sorted({*declared, *stored}):
        record = records._read_record(path)
        if record is None or record.record_format_version != RECORD_FORMAT_VERSION:
            unknown.append(path)
            continue
        kept = {name: value for name, value in record.items() if name not in FORGOTTEN and value is not None}
        jobs.setdefault(json.dumps(kept, sort_keys=True), {"outputs": [], **dict(sorted(kept.items()))})[
            "outputs"
        ].append(path)
    if found := set(unknown) & set(declared):
        raise _refused(found, "Snakemake has no record of how they were made", "delete them and run snakemake again")
    if unknown:
        raise _refused(unknown, f"no rule made them, but they are in {STORE}/", "move them elsewhere or delete them")
    return list(jobs.values())


def write(root: Path, arguments: Sequence[str], declared: Sequence[str], stored: Sequence[str]) -> list[str]:
    """Write provenance.json and recorded.json; returns the inputs that no job makes."""
    jobs = distil(root, declared, stored)
    outside = sorted({path for job in jobs for path in job["input"]} - {*declared, *stored})
    write_json({"jobs": jobs}, root / PROVENANCE)
    write_json(
        {"snakemake": snakemake_version, "arguments": list(arguments), "artifacts": len(declared)}, root / RECORD
    )
    see(root)
    return outside


def adopt(root: Path, jobs: Sequence[dict[str, Any]]) -> list[str]:
    """Give Snakemake the records of the existing artifacts; returns inputs that differ from the recorded ones.

    Snakemake compares contents only if an input is newer than an output. File times mean nothing after a pull, so they
    are set to express what is known: outputs of a job whose outside inputs differ get an old time, so that Snakemake
    compares the inputs and reruns the job; all others get the same time, so that it need not read them again.
    """
    records = records_of(root)
    made = {path for job in jobs for path in job["outputs"]}
    now = time.time()
    changed: set[str] = set()

    @cache
    def differs(path: str, checksum: str) -> bool:
        return (root / path).is_file() and checksum != _sha256(root / path)

    for job in jobs:
        fields = {name: value for name, value in job.items() if name != "outputs"}
        record = MetadataRecord(**fields, starttime=LONG_AGO, endtime=LONG_AGO, incomplete=False)
        checksums = job.get("input_checksums", {})
        other = {path for path, checksum in checksums.items() if path not in made and differs(path, checksum)}
        changed |= other
        for path in job["outputs"]:
            if os.path.lexists(root / path):
                records._write_record(path, record)
                records._unmark_incomplete(path)
                _set_time(root / path, LONG_AGO if other else now)
    see(root)
    return sorted(changed)


def read_jobs(root: Path) -> list[dict[str, Any]]:
    """The jobs in provenance.json, which must be of this Snakemake version and name nothing outside the store."""
    recorded = read_record(root)
    if recorded["snakemake"] != snakemake_version:
        raise InputError(
            root / RECORD,
            f"recorded with Snakemake {recorded['snakemake']}; this is {snakemake_version}, which may differ",
            f"pip install snakemake=={recorded['snakemake']}, or make and record the results again",
        )
    jobs = _read(root / PROVENANCE)["jobs"]
    if astray := [path for job in jobs for path in job["outputs"] if not in_store(path)]:
        raise _refused(astray, f"{PROVENANCE} names them, but they are outside {STORE}/", "restore another version")
    return jobs


def read_record(root: Path) -> dict[str, Any]:
    """recorded.json: Snakemake's version and arguments, and the number of artifacts."""
    return _read(root / RECORD)


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        remedy = "python -m scripts.versioning record, or check out a version that has it"
        raise InputError(path, "not there", remedy) from None
    except ValueError as error:
        raise InputError(path, f"not readable as JSON ({error})", "restore it from version control") from None


def _sha256(path: Path) -> str:
    """SHA-256 in Snakemake's notation."""
    with open(path, "rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _set_time(path: Path, when: float) -> None:
    # Not permitted for a hard link to a shared cache of another user: Snakemake then compares contents.
    with suppress(PermissionError):
        os.utime(path, (when, when), follow_symlinks=False)


def _refused(paths: Iterable[str], problem: str, remedy: str) -> InputError:
    names = sorted(paths)
    rest = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return InputError(", ".join(names[:SHOWN]) + rest, problem, remedy)
