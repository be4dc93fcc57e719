"""Checkpoints of a run: never incomplete, and never another run's (promise P5).

A checkpoint is two files in a folder outside the workflow's outputs: ``<digest>-<step>.pt`` with the state, and then
``<digest>-<step>.json`` with the digest of the run and the SHA-256 of the state. It counts only with the second file.
The digest represents everything that the run's outcome depends on.
"""

import logging
import re
from pathlib import Path
from typing import Any

import torch

from scripts.lib.disk import clear, replacing
from scripts.lib.errors import InputError
from scripts.lib.models import sha256_of
from scripts.lib.tables import read_json, write_json

KEPT = 2
"""Checkpoints to keep: more than one, in case the newest is damaged."""

OURS = re.compile(r"\.?[0-9a-f]{16}-\d{8}\.(json|pt)(\.\d+\.tmp)?")

log = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints of one run in one folder.

    A state consists of tensors, numbers, strings, lists and dicts: loading it executes no code.
    """

    def __init__(self, folder: Path, digest: str) -> None:
        self.folder = folder
        self.digest = digest

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write a checkpoint after ``step`` steps, and delete all but the newest KEPT of this run."""
        card = self.folder / f"{self.digest[:16]}-{step:08d}.json"
        with replacing(card.with_suffix(".pt")) as temporary:
            with open(temporary, "wb") as file:  # torch's own writer does not report a full disk
                torch.save(state, file)
            checksum = sha256_of(temporary)
        write_json({"digest": self.digest, "step": step, "sha256": checksum}, card)
        for old in self._cards()[KEPT:]:
            _delete(old)

    def newest(self, mapped: bool = False) -> dict[str, Any] | None:
        """The newest complete state of this run, tensors on the CPU, or None.

        ``mapped``: tensors are memory-mapped from the file, so that many processes share one copy.

        Checkpoints of another run are ignored; a damaged checkpoint is deleted. Either is logged.
        """
        for card in sorted(self.folder.glob("*.json")):
            if OURS.fullmatch(card.name) and not card.name.startswith(self.digest[:16]):
                log.info("checkpoint %s is of another run (other data, hyperparameters or code): ignored", card)
        for card in self._cards():
            if problem := self._problem(card):
                log.warning("checkpoint %s %s: deleted", card, problem)
                _delete(card)
                continue
            log.info("going on from checkpoint %s", card)
            return torch.load(card.with_suffix(".pt"), map_location="cpu", weights_only=True, mmap=mapped)
        return None

    def delete(self) -> None:
        """Delete all checkpoints in the folder and leftovers of killed writes, and the folder if it is then empty."""
        clear(self.folder, OURS)

    def _cards(self) -> list[Path]:
        """This run's checkpoints, the newest first."""
        return sorted(self.folder.glob(f"{self.digest[:16]}-*.json"), reverse=True)

    def _problem(self, card: Path) -> str | None:
        try:
            value = read_json(card)
            if value["digest"] != self.digest:
                return "is of another run"
            if value["sha256"] != sha256_of(card.with_suffix(".pt")):
                return "is not what was written"
        except (InputError, OSError, KeyError, TypeError) as error:
            return f"cannot be read ({error})"
        return None


def _delete(card: Path) -> None:
    """Delete the card first: a checkpoint never loses its state while it still counts as one."""
    card.unlink(missing_ok=True)
    card.with_suffix(".pt").unlink(missing_ok=True)
