"""What pages say exists: commands, targets, flags, files, configuration keys, kinds, links; and where pages stand."""

import argparse
import copy
import json
import re
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from dvc.cli.parser import get_main_parser
from pydantic import TypeAdapter
from snakemake.cli import get_argument_parser
from snakemake.utils import update_config

from scripts.lib import objectives
from scripts.lib.config import objectives as configured_objectives
from scripts.lib.config.pairs import PairsSpec
from scripts.lib.config.root import json_schema, type_of
from scripts.lib.config.sources import SourceSpec
from scripts.studies.register import STUDIES
from scripts.workflow.configuration import checked, types
from tests.documented import LANGUAGES, Block, all_blocks, blocks, commands, inline, name_of, pages, typed
from tests.workflow.house import ROOT

OTHERS = set(["git", "cd", "pip", "mv", "diff", "find", "kill", "kubectl", "apt-get", "scontrol", "scancel", "squeue"])
"""Programs of others, whose arguments are theirs to check."""
REFUSED = {"typo=1"}
"""What a page shows to be refused."""
READERS = {"my_pairs.jsonl", "mine.jsonl", "mine.yaml", "compare.yaml", "SOMETHING", "FOLDER"}
"""Files of the reader's own."""
IN_REPOSITORY = re.compile(r"(scripts|studies|tests|rules|docs|profiles|envs|plugins)/[\w./-]*\w/?")
MADE = re.compile(r"(results|logs|bench|checkpoints|cache|docs/results)/|.*\.(csv|jsonl|parquet)$")


@cache
def make_targets() -> set[str]:
    return set(re.findall(r"^([\w./-]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE))


@cache
def rules() -> set[str]:
    files = [ROOT / "Snakefile", *ROOT.glob("rules/*.smk"), *ROOT.glob("studies/*/rules.smk")]
    return {*STUDIES, *(name for file in files for name in re.findall(r"^rule (\w+):", file.read_text(), re.MULTILINE))}


@cache
def parsers() -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    return get_argument_parser(), get_main_parser()


def wrong_with(words: Sequence[str]) -> str:
    """What does not exist of a command; empty if all of it does."""
    program, *arguments = words
    if program in OTHERS:
        return ""
    check = {"make": of_make, "snakemake": of_snakemake, "dvc": of_dvc, "python": of_python}.get(program)
    return check(arguments) if check else f"{program} is none of the known programs"


def of_make(arguments: Sequence[str]) -> str:
    asked = [word for word in arguments if "=" not in word]
    return "".join(f"no target {name}" for name in asked if name not in make_targets())


def parsed(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace | str:
    try:
        return parser.parse_args(arguments)
    except (SystemExit, argparse.ArgumentError, Exception) as error:  # each parser has its own ways to refuse
        return f"not understood: {error!r}"


def of_snakemake(arguments: Sequence[str]) -> str:
    given = list(arguments)
    profiles = [given.pop(at + 1) for at in reversed(range(len(given))) if given[at] == "--profile"]
    found = parsed(parsers()[0], [word for word in given if word not in ("--profile", "-p")])
    if isinstance(found, str):
        return found
    for name in profiles:
        if name not in READERS and not (ROOT / name / "config.yaml").exists():
            return f"no profile {name}"
    for file in found.configfile or []:
        if str(file) not in READERS and not (ROOT / file).exists():
            return f"no file {file}"
    for pair in found.config or []:
        if pair not in REFUSED and not resolves(pair.partition("=")[0]):
            return f"no configuration key {pair}"
    for rule in [*found.set_resources, *found.set_threads]:
        if rule not in rules():
            return f"no rule {rule}"
    return "".join(f"no target {name}" for name in found.targets if name not in rules() and not MADE.match(name))


def of_dvc(arguments: Sequence[str]) -> str:
    """A sentence may leave out what the command is applied to."""
    tried = [parsed(parsers()[1], given) for given in (arguments, [*arguments, "SOMETHING"])]
    return "" if any(isinstance(each, argparse.Namespace) for each in tried) else str(tried[0])


def of_python(arguments: Sequence[str]) -> str:
    if arguments[:1] != ["-m"]:
        return "not a module"
    module, *rest = arguments[1:]
    if find_spec(module) is None:
        return f"no module {module}"
    if missing := [word for word in rest if IN_REPOSITORY.fullmatch(word) and not (ROOT / word).exists()]:
        return f"no file {missing[0]}"
    if module.split(".")[0] not in ("scripts", "studies", "tests"):
        return ""
    if module == "scripts.versioning" and rest[:1] == ["record"]:  # takes what the run took
        return of_snakemake(rest[1:])
    path = ROOT / module.replace(".", "/")
    files = path.glob("*.py") if path.is_dir() else [path.with_suffix(".py")]
    code = "".join(file.read_text() for file in files)
    known = {*re.findall(r'"(--?[a-z][\w-]*)"', code), "--help"}
    flags = [word for word in rest[: rest.index("--")] if word.startswith("--")] if "--" in rest else rest
    return "".join(f"no flag {word}" for word in flags if word.startswith("--") and word not in known)


@cache
def schema() -> dict[str, Any]:
    return json_schema(types())


def resolves(key: str) -> bool:
    """Whether a dotted path of the configuration exists, under whatever names its entries have."""
    found = [schema()]
    for part in key.split("."):
        found = [deeper for each in found for deeper in _below(each, part)]
    return bool(found)


def _below(node: dict[str, Any], part: str) -> list[dict[str, Any]]:
    if "$ref" in node:
        return _below(schema()["$defs"][node["$ref"].rpartition("/")[2]], part)
    found = [node["properties"][part]] if part in node.get("properties", {}) else []
    for pattern in [node.get("additionalProperties"), *node.get("patternProperties", {}).values()]:
        found += [pattern] if isinstance(pattern, dict) else []
    for each in [*node.get("anyOf", []), *node.get("oneOf", [])]:
        found += _below(each, part)
    return found


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_block_says_what_it_is(page: Path) -> None:
    fences = len(re.findall(r"^\s*```", page.read_text(encoding="utf-8"), re.MULTILINE))
    found = blocks(page)
    assert fences == 2 * len(found), "an indented block, or one whose first line is not understood"
    assert not [str(block) for block in found if block.language not in LANGUAGES]


def test_every_documented_command_exists() -> None:
    found = typed()
    assert len(found) > 60
    wrong = [f"{where}: {' '.join(words)}: {problem}" for where, words in found if (problem := wrong_with(words))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "command",
    [
        "make rum",
        "snakemake --coers 2",
        "snakemake tabel1",
        "snakemake --configfile studies/nothing.yaml",
        "snakemake --profile profiles/nothing",
        "snakemake --config typos=1",
        "snakemake --set-resources trian:gpu=4",
        "dvc plot show",
        "dvc plots show --nothing",
        "python -m scripts.pairs.nothing",
        "python -m scripts.preflight mine.jsonl --polciy FOLDER",
        "python -m pytest tests/unit/nothing.py",
        "prefatlas run",
    ],
)
def test_a_command_that_does_not_exist_is_seen(command: str) -> None:
    assert [wrong_with(words) for words in commands(command)] != [""]


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_file_in_a_sentence_exists(page: Path) -> None:
    named = {text.rstrip("/") for text in inline(page) if IN_REPOSITORY.fullmatch(text)}
    assert not [name for name in sorted(named) if not (ROOT / name).exists() and not MADE.match(name)]


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_configuration_key_in_a_sentence_exists(page: Path) -> None:
    key = re.compile(rf"((?:{'|'.join(schema()['properties'])})(?:\.[a-z]\w*)+)(?:: .*)?")
    keys = {found[1] for text in inline(page) if (found := key.fullmatch(text))}
    ours = {key for key in keys if key.rpartition(".")[2] not in ("yaml", "csv", "parquet", "py", "md", "json")}
    assert not [key for key in sorted(ours) if not resolves(key)]


def test_a_configuration_key_that_does_not_exist_is_seen() -> None:
    assert resolves("training.beta") and resolves("evaluation.suites.gsm8k.shots")
    assert not resolves("training.betta") and not resolves("evaluation.suites.gsm8k.shuts")


def laid_over_the_default(fragment: dict[str, Any]) -> dict[str, Any]:
    """As Snakemake does it."""
    merged: dict[str, Any] = {}
    for file in ("studies/what_matters/didactic.yaml", "config.yaml"):
        update_config(merged, yaml.safe_load((ROOT / file).read_text()))
    update_config(merged, copy.deepcopy(fragment))
    return merged


@pytest.mark.parametrize("block", all_blocks("yaml"), ids=str)
def test_every_configuration_is_one(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole configuration with all its references; a fragment by the types, laid over the default one."""
    given = yaml.safe_load(block.text)
    if {"resources", "set-resources"} & given.keys():
        options = {action.dest.replace("_", "-") for action in parsers()[0]._actions}
        assert given.keys() <= options and given.get("set-resources", {}).keys() <= rules()
        return
    if given.get("standalone"):
        assert checked(given, [])
        return
    if block.page == "docs/extending.md":
        with_example(tmp_path, monkeypatch)
    type_of(types()).model_validate(laid_over_the_default(given))


def example() -> str:
    [block] = all_blocks("python")
    return block.text


def with_example(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The documented objective is one of the configuration's."""
    code = folder / "objectives.py"
    code.write_text(f"{configured_objectives.SOURCE.read_text()}\n\n{example()}")
    monkeypatch.setattr(configured_objectives, "SOURCE", code)
    known = configured_objectives.objective_options
    if hasattr(known, "cache_clear"):
        known.cache_clear()
        monkeypatch.setattr(configured_objectives, "objective_options", known.__wrapped__)


def test_the_objective_on_the_page_is_one() -> None:
    before = dict(objectives.OBJECTIVES)
    try:
        exec(example(), vars(objectives).copy())
        [name] = objectives.OBJECTIVES.keys() - before.keys()
        logps = [torch.tensor([-2.0], requires_grad=True) for _ in range(4)]
        pair = objectives.PairLogps(*logps, *[torch.ones(1)] * 2)
        loss = objectives.with_options(name, 0.1, {"margin": 0.5})(pair)
        loss.sum().backward()
        assert loss.item() == 0.5 and logps[0].grad < 0 < logps[1].grad
    finally:
        objectives.OBJECTIVES.clear()
        objectives.OBJECTIVES.update(before)


def kinds(specs: Any) -> set[str]:
    return set(TypeAdapter(specs).json_schema()["discriminator"]["mapping"])


def first_column(page: str, heading: str) -> set[str]:
    """What the first table after a heading lists."""
    table = (ROOT / page).read_text().partition(f"{heading}\n")[2].partition("|---|")[2].partition("\n\n")[0]
    return set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))


def test_tables_of_kinds_and_objectives_are_whole() -> None:
    assert first_column("docs/pairs.md", "## Pairs") == kinds(PairsSpec)
    assert first_column("docs/pairs.md", "## Objectives") == objectives.OBJECTIVES.keys()
    assert first_column("docs/sources.md", "# Sources: the data that is read") == kinds(SourceSpec) - {"world"}


def in_navigation(entries: Any) -> set[str]:
    if isinstance(entries, str):
        return {entries}
    parts = entries.values() if isinstance(entries, dict) else entries
    return {page for part in parts for page in in_navigation(part)}


def test_every_page_is_in_the_navigation_and_in_the_readme() -> None:
    """Of the studies' rooms those of the papers and compare; docs/preflight.md is the page of preflight's."""
    site = in_navigation(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    docs = {path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md")}
    assert site == docs | {f"studies/{study}/README.md" for study in STUDIES if study != "preflight"}
    readme = (ROOT / "README.md").read_text()
    assert not [page for page in docs if f"](docs/{page})" not in readme]


@pytest.mark.slow
def test_the_site_is_built_and_every_link_leads_somewhere(tmp_path: Path) -> None:
    mkdocs = pytest.importorskip("mkdocs.commands.build")
    from mkdocs.config import load_config

    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path / "site"), strict=True)
    mkdocs.build(config)  # strict: a warning is an error
    assert "differences.py" in (tmp_path / "site/studies/compare/index.html").read_text()
    assert (tmp_path / "site/studies/compare/differences.py/index.html").exists()
    pages_there = json.loads((tmp_path / "site/search/search_index.json").read_text())["docs"]
    assert not [page for page in pages_there if page["location"].startswith("scripts/")]
