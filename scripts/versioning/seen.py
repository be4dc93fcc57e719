"""Whether Snakemake's records match results/: DVC can change results/ without Snakemake's knowledge.

`dvc pull`, `dvc checkout` and `dvc exp apply` bring other results and their provenance.json. Until that file is
adopted (`python -m scripts.versioning restore`), Snakemake would judge the new files by the old records.
"""

import hashlib
from pathlib import Path

PROVENANCE = "provenance.json"
RECORD = "recorded.json"
MARK = ".snakemake/provenance.seen"
UNSEEN = """DVC brought the results in this folder, and Snakemake does not know yet how they were made
  remedy: python -m scripts.versioning restore
  (or delete provenance.json, to go on by what Snakemake remembers of earlier results here)"""


def is_seen(root: Path) -> bool:
    """True if provenance.json is absent, or is the one last adopted or written here."""
    provenance, mark = root / PROVENANCE, root / MARK
    if not provenance.exists():
        return True
    return mark.exists() and mark.read_text(encoding="utf-8") == _digest(provenance)


def see(root: Path) -> None:
    """Mark provenance.json as the one that Snakemake's records agree with."""
    mark = root / MARK
    mark.parent.mkdir(exist_ok=True)
    mark.write_text(_digest(root / PROVENANCE), encoding="utf-8")


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
