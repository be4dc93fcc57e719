"""The phase of each rule, for the progress display and the drawing of the workflow."""

from collections.abc import Iterable
from pathlib import PurePath
from typing import Protocol

STUDIES = "studies"
TARGETS = "targets"
"""The phase of the Snakefile's own rules."""


class Rule(Protocol):
    """The part of Snakemake's rule that is used here."""

    name: str
    snakefile: object
    """The file that contains the rule: its path, or for `use rule ... with` an object whose text is the path."""


def phases(rules: Iterable[Rule]) -> dict[str, str]:
    """Rule -> phase, in the order of ``workflow.rules``, which is that of inclusion.

    A phase is a file under rules/. Rules of a study, in studies/<study>/rules.smk, belong to the phase "studies", and
    rules in the Snakefile itself to "targets".
    """
    return {rule.name: _phase(PurePath(str(rule.snakefile))) for rule in rules}


def _phase(file: PurePath) -> str:
    if file.suffix != ".smk":
        return TARGETS
    return STUDIES if file.parent.parent.name == STUDIES else file.stem
