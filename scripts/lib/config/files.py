"""Checks a configuration file's text for what Snakemake accepts silently, or refuses without saying where.

Snakemake takes the last of two equal keys, gives no line number for a file that is not YAML, and runs Python in a file
that asks for it (``__use_yte__``).
"""

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from scripts.lib.errors import InputError

CODE = "__use_yte__"
LARGEST, DEEPEST = 200_000, 40
"""Values and levels of a section beyond any that a person writes: YAML anchors multiply."""
PLAINLY = "write it out, without YAML anchors (&, *)"


class _Loader(yaml.SafeLoader):
    """Plain values only, and no duplicate keys in a mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:bool":
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value} means true or false, and is no name unless in quotes", key.start_mark
                )
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"{key.value} stands twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def check(path: str | Path) -> None:
    """Raises InputError unless the file is one mapping, in YAML or JSON, without duplicate keys and without code."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = Path(path).read_bytes()[: error.start].count(b"\n") + 1
        raise InputError(f"{path}:{line}", "not UTF-8", "save the file as UTF-8") from None
    except OSError as error:
        raise InputError(path, f"not readable ({error.strerror})", "name a configuration file that is there") from None
    value = _json(text, path) if Path(path).suffix == ".json" else _yaml(text, path)
    if not isinstance(value, dict):
        found = "empty" if value is None else f"a {type(value).__name__} at its top"
        raise InputError(path, f"is {found}, not keys and values", "write `key: value` lines")
    if CODE in value:
        raise InputError(path, f"{CODE} lets the file run code", "remove the line and write plain YAML")
    for key, section in value.items():
        if problem := too_much(section):
            raise InputError(path, f"{key}: {problem}", PLAINLY)


def too_much(section: Any) -> str | None:
    """The problem of a value that is too deep or too large for a configuration, including one that contains itself."""
    ahead, seen = [(section, 0)], 0
    while ahead:
        value, depth = ahead.pop()
        seen += 1
        if depth > DEEPEST:
            return f"nested more than {DEEPEST} deep"
        if seen > LARGEST:
            return f"more than {LARGEST} values"
        if isinstance(value, dict | list):
            ahead += [(each, depth + 1) for each in (value.values() if isinstance(value, dict) else value)]
    return None


def _yaml(text: str, path: str | Path) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)  # _Loader is a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context
        raise InputError(
            f"{path}:{mark.line + 1}", f"no plain YAML: {problem}", "fix the line; every key is written once"
        ) from None
    except (yaml.YAMLError, ValueError) as error:
        problem = " ".join(str(error).split())
        raise InputError(path, f"no plain YAML: {problem}", "write plain text, numbers, lists and keys") from None
    except RecursionError:
        raise InputError(path, "nested too deeply", "write it with fewer levels") from None


def _json(text: str, path: str | Path) -> Any:
    def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if repeated := [name for at, name in enumerate(names) if name in names[:at]]:
            raise InputError(path, f"{repeated[0]} stands twice", "remove one of the two")
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=each_once)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}", f"broken JSON: {error.msg}", "fix the line") from None
    except RecursionError:
        raise InputError(path, "nested too deeply", "write it with fewer levels") from None
