"""The configuration as the workflow reads it: which files it is made of, the checked whole, and its studies.

``config.yaml`` has what studies share. Each study that is on adds ``studies/<study>/didactic.yaml``: its own key, and
entries of its own in the shared sections. Files given by --configfile are laid over these; one that says
``standalone: true`` is laid over nothing.
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


def shared_files(repository: Path, overlays: Sequence[str | Path]) -> list[Path]:
    """config.yaml, unless one of the files laid over it stands alone. InputError: one of them is no configuration."""
    shared = repository / SHARED
    for each in (shared, *overlays):
        files.check(each)
    return [] if any(_says(each).get("standalone") is True for each in overlays) else [shared]


def fragments(repository: Path, studies: Any, shared: Sequence[Path]) -> list[Path]:
    """The rooms' own fragments, for the studies that are on; none under a configuration that stands alone.

    InputError: two files define one name differently, or a fragment changes what is not its study's own.
    """
    on = [name for name in studies if name in STUDIES] if shared and isinstance(studies, list) else []
    found = [path for name in on if (path := repository / "studies" / name / "didactic.yaml").exists()]
    entries = {at: shared[0] for at, _ in _entries(_says(shared[0]))} if shared else {}
    for path in found:
        files.check(path)
        says, study = _says(path), path.parent.name
        for at, entry in _entries(says):
            if at in entries and entry != _at(_says(entries[at]), at):
                raise InputError(path, f"{'.'.join(at)} is also an entry of {entries[at]}", "give one another name")
            entries.setdefault(at, path)
        if astray := sorted(_keys(says) - {study} - {section[0] for section in SECTIONS}):
            raise InputError(path, f"sets {', '.join(astray)}, which all studies share", f"set it in {SHARED}")
    return found


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
