"""What a room's rules.smk may do to the rules of all: add rules of its own, and nothing else.

Included files share one namespace with all others: two that set one name would give one of them the other's value.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any

from scripts.lib.errors import InputError


def check(file: Path, before: Mapping[str, Any], after: Mapping[str, Any], rules: Iterable[Any]) -> None:
    """InputError: the included file set a name for all rules, or makes a file that is in no folder of its study.

    before, after: the names of the rules' namespace. rules: Snakemake's, of all files.
    """
    study = file.parent.name
    new = [name for name in after if after[name] is not before.get(name, before) and not name.startswith("__")]
    if changed := sorted(new):
        raise InputError(
            file,
            f"sets {', '.join(changed)} for the rules of all studies",
            f"write it in a module of studies/{study}/, and only rules here",
        )
    for rule in rules:
        for path in map(str, rule.output) if PurePath(str(rule.snakefile)) == file else ():
            if study not in PurePath(path).parts:
                raise InputError(
                    f"{file}, rule {rule.name}",
                    f"makes {path}, which is in no folder of the study",
                    f"write it below a folder named {study}",
                )
