"""Journal of submitted cluster jobs whose end is not yet recorded: one small file per job under .snakemake/slurm/.

A file is written when a job is submitted and removed once Snakemake has recorded how the job ended. Files that exist
when a call starts were left by a call that was killed.
"""

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """One submitted queue entry: a job, or all jobs of a group."""

    id: str
    """SLURM's job number."""
    log: str
    made: dict[str, str]
    """Each file that it makes -> digest of the file's inputs, parameters and code."""


class Journal:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def name(self) -> str:
        """The name of this folder's jobs in the queue, the same for every call."""
        path = self.folder / "name"
        if not path.exists():
            _write(path, str(uuid.uuid4()))
        return path.read_text(encoding="utf-8")

    def open(self) -> Iterator[Entry]:
        for path in sorted(self.folder.glob("*.json")):
            yield Entry(**json.loads(path.read_text(encoding="utf-8")))

    def write(self, entry: Entry) -> None:
        _write(self.folder / f"{entry.id}.json", json.dumps(asdict(entry)))

    def close(self, id: str) -> None:
        (self.folder / f"{id}.json").unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)
