"""Which cluster jobs a folder has submitted and not yet accounted for: one small file each under .snakemake/slurm/.

A file is written when a job is submitted and removed when Snakemake has recorded how the job ended. What is there
at the start of a call was left by a call that was killed.
"""

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """One submitted job; of several jobs in one queue entry (a group), all."""

    id: str
    """SLURM's number of the job."""
    log: str
    made: dict[str, str]
    """Each file that it makes -> the digest of what the file is made from and with."""


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
