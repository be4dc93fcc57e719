"""The whole configuration: its sections, the checks across them, and the line where each key was written.

Studies are not known here: the caller of :func:`load` passes the types of their keys.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, create_model

from scripts.lib.config import references
from scripts.lib.config.base import Distinct, Name, Spec
from scripts.lib.config.evaluation import EvaluationSpec
from scripts.lib.config.files import PLAINLY, too_much
from scripts.lib.config.hardware import HardwareSpec
from scripts.lib.config.pairs import PairsSpec
from scripts.lib.config.policies import PolicySpec
from scripts.lib.config.sampling import SampleSet
from scripts.lib.config.scorers import RankerSpec, ScorerSpec
from scripts.lib.config.sources import PromptSetSpec, SourceSpec
from scripts.lib.config.studies import Location, StudyConfig
from scripts.lib.config.training import TrainingSpec
from scripts.lib.errors import InputError

Studies = Mapping[str, type[StudyConfig]]
"""Study -> the type of its key."""
NO_TEXT = re.compile("[\0\ud800-\udfff]")


class AtlasConfig(Spec):
    """What all studies share: config.yaml, with anything from --configfile and --config laid over it."""

    standalone: bool = Field(
        False, description="true in a file given by --configfile: it is the whole configuration, not laid over another."
    )
    studies: Distinct[Name] = Field(min_length=1, description="Which studies are on; each has a key of its own below.")
    data: str | None = Field(None, description="A folder of your own, written {data} in paths below.")
    sources: dict[Name, SourceSpec] = Field(description="Where text comes from.")
    prompt_sets: dict[Name, PromptSetSpec] = Field(description="What is kept of it.")
    scorers: dict[Name, ScorerSpec] = Field({}, description="What says how good a response is.")
    rankers: dict[Name, RankerSpec] = Field({}, description="What says which of two responses is better.")
    pairs: dict[Name, PairsSpec] = Field(description="The preference datasets.")
    policies: dict[Name, PolicySpec] = Field(description="The models that runs start from.")
    samples: dict[Name, SampleSet] = Field({}, description="Responses that policies give to prompt sets.")
    training: TrainingSpec = Field(description="How policies are trained on pairs.")
    evaluation: EvaluationSpec = Field(description="What policies are measured by.")
    hardware: dict[Name, HardwareSpec] = Field({}, description="Machines for which `snakemake plan` estimates time.")


def load(raw: dict[str, Any], files: Iterable[str | Path], studies: Studies) -> AtlasConfig:
    """The checked configuration, with a field for each study.

    raw: the mapping that Snakemake merged. files: the YAML files that it came from, highest priority first; used only
    to find the line of a mistake. Raises InputError with every mistake found.
    """
    files = list(files)
    raw = _fill_in_data(raw, files)
    kind = type_of(studies)
    try:
        config = kind.model_validate(raw)
    except ValidationError as error:
        schema = kind.model_json_schema()
        raise _first_of([_explain(item, raw, files, schema) for item in error.errors()]) from None
    if unknown := [name for name in config.studies if name not in studies]:
        place = _place(("studies", config.studies.index(unknown[0])), files)
        raise InputError(place, f"no study {unknown[0]!r}", f"use some of {', '.join(studies)}")
    if problems := references.problems(config):
        raise first_of(problems, files)
    return config


def type_of(studies: Studies) -> type[AtlasConfig]:
    """AtlasConfig with a field for each study: None, or of its type."""
    fields: dict[str, Any] = {name: (kind | None, None) for name, kind in studies.items()}
    return create_model("Configuration", __base__=AtlasConfig, **fields)


def json_schema(studies: Studies) -> dict[str, Any]:
    """The JSON schema of the configuration, for editors."""
    schema = type_of(studies).model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "prefatlas configuration"}


def first_of(problems: Iterable[references.Problem], files: Iterable[str | Path]) -> InputError:
    """One error that lists all problems, each with its place in the files."""
    files = list(files)
    return _first_of([InputError(_place(at, files), problem, remedy) for at, problem, remedy in problems])


def _first_of(errors: list[InputError]) -> InputError:
    if len(errors) == 1:
        return errors[0]
    text = "\n".join(f"- {error}" for error in errors)
    return InputError("configuration", f"{len(errors)} mistakes\n{text}", "fix each of them as it says")


def _fill_in_data(raw: dict[str, Any], files: list) -> dict[str, Any]:
    """A copy with ``{data}`` replaced. Raises InputError if that is impossible, or for values no configuration has."""
    for key, section in raw.items():
        if problem := too_much(section):
            raise InputError(_place((key,), files), f"{key}: {problem}", PLAINLY)
    folder = raw.get("data")

    def fill(value: Any, at: Location) -> Any:
        if isinstance(value, dict):
            return {_plain(key, at, files): fill(item, (*at, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [fill(item, (*at, index)) for index, item in enumerate(value)]
        if isinstance(_plain(value, at, files), str) and "{data}" in value:
            if not folder:
                raise InputError(
                    _place(at, files), f"{value} names {{data}}, which is not set", "add --config data=<your folder>"
                )
            return value.replace("{data}", str(folder).rstrip("/"))
        return value

    return fill(raw, ())


def _plain(value: Any, at: Location, files: list) -> Any:
    """The value. Raises InputError for text that no file name or table can hold, and for integers over 64 bits."""
    key = ".".join(str(part) for part in at) or "the configuration"
    if isinstance(value, str) and NO_TEXT.search(value):
        raise InputError(_place(at, files), f"{key}: {value!r} holds a NUL or half a character", "write plain text")
    if isinstance(value, int) and abs(value) >= 2**63:
        raise InputError(_place(at, files), f"{key}: an integer of more than 64 bits", "write a smaller number")
    return value


def _explain(item: Any, raw: dict[str, Any], files: list, schema: dict[str, Any]) -> InputError:
    """A pydantic error as a place, a problem and a remedy."""
    location = _as_written(tuple(item["loc"]), raw)
    place, key = _place(location, files), ".".join(str(part) for part in location)
    if item["type"] == "extra_forbidden":
        siblings = ", ".join(_siblings(location, schema))
        return InputError(
            place, f"unknown key {key}", f"remove it; known here: {siblings}" if siblings else "remove it"
        )
    if item["type"] == "missing":
        return InputError(place, f"{key} is missing", "add it")
    if item["type"].startswith("union_tag"):
        tag, known = item["ctx"].get("tag"), item["ctx"].get("expected_tags")
        problem = f"{key} has kind {_short(tag)}, none of {known}" if known else f"{key} has no kind"
        return InputError(place, problem, "set kind to one of those in config.schema.json")
    message = item["msg"].removeprefix("Value error, ")
    given = "" if isinstance(item["input"], dict) else f" (given: {_short(item['input'])})"
    return InputError(place, f"{key}: {message}{given}", "set a value that fits; the schema is config.schema.json")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


def _as_written(location: Location, raw: Any) -> Location:
    """pydantic's location without the union tags, which appear in no file."""
    kept: list[str | int] = []
    for index, part in enumerate(location):
        is_last = index == len(location) - 1
        if isinstance(raw, dict) and (part in raw or is_last):
            raw = raw.get(part)
        elif isinstance(raw, list) and isinstance(part, int) and part < len(raw):
            raw = raw[part]
        elif not (is_last and part != "[key]"):
            continue
        kept.append(part)
    return tuple(part for part in kept if part != "[key]")


def _siblings(location: Location, schema: dict[str, Any]) -> list[str]:
    """The keys allowed where an unknown one was found, if the schema alone tells."""
    node: Any = schema
    for part in location[:-1]:
        node = _resolve(node, schema)
        node = node.get("properties", {}).get(part) or node.get("additionalProperties") or node.get("items") or {}
    node = _resolve(node, schema) if isinstance(node, dict) else {}
    return list(node.get("properties", {}))


def _resolve(node: dict, schema: dict) -> dict:
    if "$ref" in node:
        return schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    for option in node.get("anyOf", []):
        if "$ref" in option:
            return _resolve(option, schema)
    return node


def _place(location: Location, files: list) -> str:
    """``file:line`` of the deepest part of a key that one of the files contains."""
    best: tuple[int, str] | None = None
    for file in files:
        found = _line_of(location, Path(file))
        if found is not None and (best is None or found[0] > best[0]):
            best = (found[0], f"{file}:{found[1]}")
    return best[1] if best else "--config on the command line"


def _line_of(location: Location, file: Path) -> tuple[int, int] | None:
    """How many parts of the key the file contains, and the line of the last of them."""
    try:
        node = _composed(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    depth, line = 0, 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            match = [(key, value) for key, value in node.value if key.value == str(part)]
            if not match:
                break
            key, node = match[-1]
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
        depth += 1
    return (depth, line) if depth else None


@lru_cache(maxsize=8)
def _composed(text: str) -> yaml.Node | None:
    """The nodes of a YAML text; cached, because every mistake in a file looks them up."""
    return yaml.compose(text, Loader=yaml.SafeLoader)
