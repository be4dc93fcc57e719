"""Digests of local files' contents, for rules' parameters: another file under an old name is seen, whatever its time.

Snakemake compares the contents of inputs that are newer than the outputs, and of no others: ``mv`` and ``cp -p`` put
older files in place (promise P3: times never decide alone). A file is read once, and again when its size, times or
inode are others; the digests are kept in .snakemake/, and are the same on every machine.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from scripts.lib.disk import replacing
from scripts.lib.errors import InputError
from scripts.workflow.files import local_files

MEMORY = ".snakemake/contents.json"
SETTLED = 2.0
"""Seconds since a file's last change before its digest is kept: file times are too coarse to show a second change."""


class Contents:
    """The digests of files seen from one working folder."""

    def __init__(self, root: Path) -> None:
        self.memory = root / MEMORY
        self.known: dict[str, list] = {}
        with suppress(OSError, ValueError):
            self.known = json.loads(self.memory.read_text(encoding="utf-8"))

    def at(self, *paths: str | None) -> str:
        """The digest of what is at local paths, as the rules' inputs name it; empty for hub ids and None."""
        return self.of(file for path in paths for file in local_files(path))

    def of(self, files: Iterable[str]) -> str:
        """The digest of files' contents, in their order, whatever their names; empty for no files."""
        known = dict(self.known)
        digests = [self._digest(file) for file in files if os.path.isfile(file)]
        if self.known != known:
            self._keep()
        return hashlib.sha256("\n".join(digests).encode()).hexdigest()[:16] if digests else ""

    def _digest(self, file: str) -> str:
        path = os.path.realpath(file)
        found = os.stat(path)
        state = [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]
        if (known := self.known.get(path)) and known[:-1] == state:
            return known[-1]
        try:
            with open(path, "rb") as opened:
                digest = hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as error:  # the step that reads it says what is wrong
            return f"not readable: {error.strerror}"
        if time.time() - found.st_ctime > SETTLED:
            self.known[path] = [*state, digest]
        return digest

    def _keep(self) -> None:
        # where it cannot be written, files are read again next time
        with suppress(OSError, InputError), replacing(self.memory) as temporary:
            temporary.write_text(json.dumps(self.known, indent=0, sort_keys=True), encoding="utf-8")
