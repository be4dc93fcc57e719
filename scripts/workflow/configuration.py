"""The configuration as the workflow reads it: which files it is made of, the checked whole, and its studies.

Each study that is on brings ``studies/<study>/didactic.yaml``: its own key, and entries of its own in the shared
sections. ``config.yaml``, which has what studies share, is laid over these, and files given by --configfile over
it. A file that says ``standalone: true`` is laid over nothing.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from scripts.lib.config import files, root
from scripts.lib.config.root import AtlasConfig
from scripts.lib.config.studies import StudyConfig
from scripts.lib.errors import InputError
from scripts.lib.study import Study
from scripts.studies.register import STUDIES
from scripts.workflow import lineages

SHARED = "config.yaml"
SECTIONS = (
    ("sources",),
    ("prompt_sets",),
    ("scorers",),
    ("rankers",),
    ("pairs",),
    ("policies",),
    ("samples",),
    ("training", "variants"),
    ("evaluation", "suites"),
)
"""Where a room's fragment may add entries, each under a name that no other file has."""


@cache
def types() -> dict[str, type[StudyConfig]]:
    """Study -> the type of its key in the configuration."""
    return {name: import_module(f"studies.{name}.config").Config for name in STUDIES}


def defaults(repository: Path, given: Mapping[str, Any]) -> list[Path]:
    """What the files given by --configfile are laid over, the weakest first; nothing where they stand alone.

    given: what --configfile and --config say together.
    """
    if given.get("standalone") is True:
        return []
    shared = repository / SHARED
    files.check(shared)
    studies = given.get("studies", _says(shared).get("studies"))
    on = [name for name in studies if name in STUDIES] if isinstance(studies, list) else []
    found = [path for name in on if (path := repository / "studies" / name / "didactic.yaml").exists()]
    check_fragments(found)
    return [*found, shared]


def check_fragments(fragments: Sequence[Path]) -> None:
    """InputError: a room's fragment is no configuration, changes what is not its own, or takes another one's name."""
    entries: dict[tuple[str, ...], Path] = {}
    for path in fragments:
        files.check(path)
        says, study = _says(path), path.parent.name
        if astray := sorted(_keys(says) - {study} - {section[0] for section in SECTIONS}):
            raise InputError(path, f"sets {', '.join(astray)}, which all studies share", f"set it in {SHARED}")
        for at, entry in _entries(says):
            if at in entries and entry != _at(_says(entries[at]), at):
                raise InputError(path, f"{'.'.join(at)} is also an entry of {entries[at]}", "give one another name")
            entries.setdefault(at, path)


def _says(path: str | Path) -> dict[str, Any]:
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def _keys(says: Mapping[str, Any]) -> set[str]:
    """The keys at the top, or below a section that holds more than entries, as ``training.beta``."""
    nested = {section[0]: section[1] for section in SECTIONS if len(section) > 1}
    found = set()
    for key, value in says.items():
        inner = set(value) - {nested[key]} if key in nested and isinstance(value, dict) else set()
        found |= {f"{key}.{each}" for each in inner} or {key}
    return found


def _entries(says: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for section in SECTIONS:
        of_section = _at(says, section)
        for name, entry in (of_section if isinstance(of_section, dict) else {}).items():
            yield (*section, str(name)), entry


def _at(says: Any, path: Iterable[str]) -> Any:
    for part in path:
        says = says.get(part) if isinstance(says, dict) else None
    return says


def checked(raw: dict[str, Any], files: Sequence[str | Path]) -> AtlasConfig:
    """The configuration with all that its studies say of it; ``files`` made it, the strongest first.

    InputError: every mistake, with its place.
    """
    atlas = root.load(raw, files, types())
    if problems := list(lineages.problems(atlas, rooms(atlas))):
        raise root.first_of(problems, files)
    return atlas


def rooms(atlas: AtlasConfig) -> dict[str, Study]:
    """The studies that are on, in the configuration's order."""
    return {
        name: import_module(f"studies.{name}.study").Room(name, getattr(atlas, name), atlas) for name in atlas.studies
    }


if __name__ == "__main__":
    json.dump(root.json_schema(types()), sys.stdout, indent=2)
    sys.stdout.write("\n")
