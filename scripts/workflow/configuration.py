"""Loads the configuration for the workflow: the files that it consists of, its checks, and its studies.

Each active study contributes ``studies/<study>/didactic.yaml``: its own key, and its own entries in the shared
sections. ``config.yaml``, with what studies share, is laid over these, and files given by --configfile over it. A file
that says ``standalone: true`` is laid over nothing.
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
    ("training", "watch"),
    ("evaluation", "suites"),
)
"""Sections to which a study's fragment may add entries, each under a name that no other file uses."""


@cache
def types() -> dict[str, type[StudyConfig]]:
    """Study -> the type of its key in the configuration."""
    return {name: import_module(f"studies.{name}.config").Config for name in STUDIES}


def defaults(repository: Path, given: Mapping[str, Any]) -> list[Path]:
    """The files below those given by --configfile, lowest priority first; empty if those are standalone.

    given: the content of --configfile and --config together.
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
    """Raises InputError if a study's fragment is invalid, changes something shared, or reuses another one's name."""
    entries: dict[tuple[str, ...], Path] = {}
    for path in fragments:
        files.check(path)
        says, study = _says(path), path.parent.name
        if astray := sorted(_keys(says) - {study} - {section[0] for section in SECTIONS}):
            raise InputError(path, f"sets {', '.join(astray)}, which all studies share", f"set it in {SHARED}")
        for at, entry in _entries(says):
            if at in entries and entry != _at(_says(entries[at]), at):
                raise InputError(path, f"{'.'.join(at)} is also an entry of {entries[at]}", "rename one of them")
            entries.setdefault(at, path)


def _says(path: str | Path) -> dict[str, Any]:
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def _keys(says: Mapping[str, Any]) -> set[str]:
    """The top-level keys, or ``training.beta`` for keys in a section that has more than entries."""
    nested = {section[0] for section in SECTIONS if len(section) > 1}
    found = set()
    for key, value in says.items():
        parts = value if key in nested and isinstance(value, dict) else ()
        found |= {f"{key}.{each}" for each in parts if (key, each) not in SECTIONS} or {key}
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
    """The configuration, with its studies' checks; ``files`` are its sources, highest priority first.

    Raises InputError with every mistake and its place.
    """
    atlas = root.load(raw, files, types())
    if problems := list(lineages.problems(atlas, rooms(atlas))):
        raise root.first_of(problems, files)
    return atlas


def rooms(atlas: AtlasConfig) -> dict[str, Study]:
    """The active studies, in the configuration's order."""
    return {
        name: import_module(f"studies.{name}.study").Room(name, getattr(atlas, name), atlas) for name in atlas.studies
    }


if __name__ == "__main__":
    json.dump(root.json_schema(types()), sys.stdout, indent=2)
    sys.stdout.write("\n")
