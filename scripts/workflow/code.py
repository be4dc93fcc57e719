"""What of the repository's own text a rule's parameters carry, so that a change of it runs the rule again."""

import hashlib
import tokenize
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from scripts.lib.config.engines import BACKENDS
from scripts.lib.config.objectives import objective_options
from scripts.lib.fingerprint import fingerprint


class Code:
    """Fingerprints and digests of the code under one repository."""

    def __init__(self, repository: Path) -> None:
        self.repository = repository

    def of(self, *steps: str) -> list[str]:
        """The fingerprint of each step, such as ``scripts.pairs.tiers``."""
        return [fingerprint(step, self.repository) for step in steps]

    def of_training(self, step: str, objective: str) -> list[str]:
        """As of(), of a run: of the objectives its own alone."""
        return [fingerprint(step, self.repository, frozenset(objective_options()) - {objective})]

    def of_inference(self, step: str, entry: Any) -> list[str]:
        """As of(), of a step that runs a model forward: of the backends the entry's own alone."""
        return [fingerprint(step, self.repository, frozenset(BACKENDS) - {getattr(entry, "backend", None)})]

    def yaml_in(self, folder: str) -> str:
        """Digest of what the YAML files of a folder say, comments and formatting left out."""
        texts = (path.read_text(encoding="utf-8") for path in sorted((self.repository / folder).glob("*.yaml")))
        return _digest(yaml.serialize(yaml.compose(text)).encode("utf-8") for text in texts)

    def files_in(self, folder: str) -> str:
        """Digest of the files in a folder that a step reads beside its own code."""
        return _digest(path.read_bytes() for path in sorted((self.repository / folder).iterdir()) if path.is_file())

    def rules(self) -> str:
        """Digest of the rules themselves, comments and blank lines left out."""
        return _digest(part for path in self._rule_files() for part in _tokens(path))

    def _rule_files(self) -> list[Path]:
        found = [*self.repository.glob("rules/*.smk"), *self.repository.glob("studies/*/rules.smk")]
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
