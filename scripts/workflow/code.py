"""Fingerprints and digests of the repository's code for rules' parameters: a change runs the rule again."""

import ast
import hashlib
import tokenize
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from scripts.lib.config.engines import BACKENDS
from scripts.lib.config.objectives import all_objective_options
from scripts.lib.fingerprint import fingerprint

ROOMS = "studies"
"""The package of the studies' own modules."""


@cache
def modules_of_room(step: str, repository: Path) -> frozenset[str]:
    """A study's step and the modules under studies/ that it imports, directly or indirectly."""
    found: set[str] = set()
    ahead = [step]
    while ahead:
        name = ahead.pop()
        path = repository.joinpath(*name.split(".")).with_suffix(".py")
        if name in found or not path.is_file():
            continue
        found.add(name)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
            if isinstance(node, ast.Import):
                imported = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                imported = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            else:
                continue
            ahead += [each for each in imported if each.split(".")[0] == ROOMS]
    return frozenset(found)


class Code:
    """Fingerprints and digests of the code of one repository."""

    def __init__(self, repository: Path) -> None:
        self.repository = repository

    def of(self, *steps: str) -> list[str]:
        """The fingerprint of each step, such as ``scripts.pairs.tiers``; for a study's step, of all modules it uses."""
        return [self._of_room(step) if step.startswith(f"{ROOMS}.") else self._of(step) for step in steps]

    def _of(self, step: str, unused: Iterable[str] = ()) -> str:
        return fingerprint(step, self.repository, frozenset(unused))

    def _of_room(self, step: str) -> str:
        """By definition in scripts/, by module in the study's folder, whose parts are small and cheap to run."""
        modules = sorted(modules_of_room(step, self.repository))
        return _digest(f"{name} {self._of(name)}\n".encode() for name in modules)

    def of_training(self, step: str, objective: str, scorer: Any = None) -> list[str]:
        """As of(), for a run: only with its own objective, and with the backend in the entry of its scorer."""
        backends = set(BACKENDS) - {getattr(scorer, "backend", None)}
        return [self._of(step, (all_objective_options().keys() - {objective}) | backends)]

    def of_inference(self, step: str, entry: Any) -> list[str]:
        """As of(), for a step that runs a model forward: only with the backend in its entry."""
        return [self._of(step, set(BACKENDS) - {getattr(entry, "backend", None)})]

    def of_ranking(self, step: str, pairs: Any) -> list[str]:
        """As of(), for a step that uses a ranker or a scorer: without the rankers' code if it is a scorer."""
        return [self._of(step, () if pairs.ranker else {"ranker_of"})]

    def yaml_in(self, folder: str) -> str:
        """Digest of the content of the YAML files in a folder, comments and formatting left out."""
        texts = (path.read_text(encoding="utf-8") for path in sorted((self.repository / folder).glob("*.yaml")))
        return _digest(yaml.serialize(yaml.compose(text)).encode("utf-8") for text in texts)

    def files_in(self, folder: str) -> str:
        """Digest of the files in a folder that a step reads besides its own code."""
        return _digest(path.read_bytes() for path in sorted((self.repository / folder).iterdir()) if path.is_file())

    def templates(self, study: str) -> str:
        """Digest of the templates of a study's section: the shared ones, and the study's own."""
        own = sorted((self.repository / ROOMS / study).glob("*.html"))
        shared = sorted((self.repository / "scripts/report/templates").iterdir())
        return _digest(path.read_bytes() for path in [*shared, *own])

    def rules(self) -> str:
        """Digest of the rules themselves, comments and blank lines left out."""
        return _digest(part for path in self._rule_files() for part in _tokens(path))

    def _rule_files(self) -> list[Path]:
        found = [*self.repository.glob("rules/*.smk"), *self.repository.glob(f"{ROOMS}/*/rules.smk")]
        return [self.repository / "Snakefile", *sorted(found)]


def _tokens(path: Path) -> Iterable[bytes]:
    with open(path, "rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type not in (tokenize.COMMENT, tokenize.NL):
                yield token.string.encode("utf-8") + b"\x1f"


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]
