"""Checks a study's rules.smk: it may only add rules of its own.

Included files share one namespace: if two set the same name, one of them would get the other's value.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any

from scripts.lib.errors import InputError


def check(file: Path, before: Mapping[str, Any], after: Mapping[str, Any], rules: Iterable[Any]) -> None:
    """Raises InputError if the included file set a name for all rules, or makes a file of no name of its study's:
    neither in a folder named after it nor itself named so.

    before, after: the names in the rules' namespace. rules: Snakemake's, from all files.
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
            if study not in (*PurePath(path).parts, PurePath(path).stem):
                raise InputError(
                    f"{file}, rule {rule.name}",
                    f"makes {path}, which is in no folder of the study",
                    f"write it below a folder named {study}, or name the file so",
                )
