"""Which phase each rule belongs to: what the display of progress and the drawing of the workflow call it by."""

from collections.abc import Iterable
from pathlib import PurePath
from typing import Protocol

STUDIES = "studies"
TARGETS = "targets"
"""The phase of the Snakefile's own rules."""


class Rule(Protocol):
    """As much of Snakemake's rules as is asked for here."""

    name: str
    snakefile: object
    """The file that holds the rule: its path, or of `use rule ... with` an object whose text is the path."""


def phases(rules: Iterable[Rule]) -> dict[str, str]:
    """Rule -> phase, in the order of ``workflow.rules``, which is that of inclusion.

    A phase is a file under rules/. What a study has of its own, studies/<study>/rules.smk, is of the phase "studies",
    and what stands in the Snakefile itself is of "targets".
    """
    return {rule.name: _phase(PurePath(str(rule.snakefile))) for rule in rules}


def _phase(file: PurePath) -> str:
    if file.suffix != ".smk":
        return TARGETS
    return STUDIES if file.parent.parent.name == STUDIES else file.stem
