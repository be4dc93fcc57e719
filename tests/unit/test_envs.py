"""The environments for --sdm conda: the pins of the lock, and all imports of the steps that run in them."""

import ast
import re
import sys
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

from scripts.workflow.configuration import checked, rooms
from tests.configurations import DEFAULT, merged

RULES = [*sorted(Path("rules").glob("*.smk")), *sorted(Path("studies").glob("*/rules.smk"))]
OF_ITS_OWN = {"vllm"}
"""Environments whose main package pins its own torch and transformers, and is imported only there."""
EITHER = ["train", "vllm"]
"""Environments of a step whose backend decides (rules/common.smk, inference_environment)."""
ENVIRONMENTS = [path for path in sorted(Path("envs").glob("*.yaml")) if path.stem not in OF_ITS_OWN]
HIDDEN = {
    "lm_eval": {"accelerate", "langdetect", "immutabledict", "nltk"},
    "alpaca_eval": {"setuptools", "scikit-learn"},
}
"""Optional run-time imports of packages, which not every installation includes."""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lines: list[str]) -> dict[str, str]:
    """Package -> version; an extra counts under its package's name, and changes no version."""
    found = {}
    for line in lines:
        name, equals, version = line.partition("==")
        assert equals and re.fullmatch(r"[\w.+]+", version), f"{line} is no pin"
        found[canonical(name.partition("[")[0])] = version
    return found


LOCK = pins([line for line in Path("requirements.txt").read_text().splitlines() if line and not line.startswith("#")])


def environment(path: Path) -> dict[str, str]:
    [pip] = [each["pip"] for each in yaml.safe_load(path.read_text())["dependencies"] if isinstance(each, dict)]
    return pins(pip)


@cache
def imports(module: str) -> frozenset[str]:
    """The names that a module imports at run time, local ones dotted; without those only for type checkers."""
    base = Path(*module.split("."))
    path = next((each for each in (base.with_suffix(".py"), base / "__init__.py") if each.is_file()), None)
    if path is None:
        return frozenset()
    found = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.update({node.module} | {f"{node.module}.{alias.name}" for alias in node.names})
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    return frozenset(found)


def reached(step: str) -> dict[str, str]:
    """Import name of a third-party package -> a module of the step that imports it."""
    seen, ahead, found = set(), [step], {}
    while ahead:
        module = ahead.pop()
        if module in seen:
            continue
        seen.add(module)
        for name in imports(module):
            top = name.partition(".")[0]
            if top in ("scripts", "studies"):
                ahead.append(name)
            elif top not in sys.stdlib_module_names | OF_ITS_OWN:
                found.setdefault(top, module)
    return found


def steps() -> list[tuple[str, str]]:
    """(environment, step) of every rule; a rule that uses another one also uses its environment, and comes after it."""
    found = set()
    for file in RULES:
        for rule in re.split(r"^(?:    )?rule\b", file.read_text(), flags=re.MULTILINE)[1:]:
            named = re.findall(r'"(?:\.\./)+envs/(\w+)\.yaml"', rule)
            run = re.findall(r'python -m ([\w.]+)|step="([\w.]+)"', rule)
            assert len(named) <= 1
            named = EITHER if "inference_environment(" in rule else named
            if run:
                assert named, f"a rule of {file} has no conda environment: {rule[:60]}"
                found |= {(env, module or step) for env in named for module, step in run}
    found = {(env, step) for env, step in found if step != "snakemake"}
    return sorted(found | {("workflow", step) for step in steps_of_studies()})


def steps_of_studies() -> set[str]:
    """What the general rules run for the studies that are on: they name an environment, and a study its steps."""
    room_of = rooms(checked(merged(*DEFAULT), DEFAULT)).values()
    named = [each for room in room_of for each in (*room.tables.values(), *room.figures.values(), room.section)]
    return {step.module for step in [*named, *(room.claims for room in room_of if room.claims)]}


def test_the_rules_name_steps_of_every_environment() -> None:
    named = {env for env, _ in steps()}
    assert named == {path.stem for path in ENVIRONMENTS} | (named & OF_ITS_OWN)
    assert ("train", "scripts.training.train") in steps() and len(steps()) > 35


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environment_has_the_pins_of_the_lock(path: Path) -> None:
    theirs = environment(path)
    assert theirs.items() <= LOCK.items(), {name: LOCK.get(name) for name in theirs if LOCK.get(name) != theirs[name]}
    text = yaml.safe_load(path.read_text())
    assert f"python={sys.version_info.major}.{sys.version_info.minor}" in text["dependencies"]


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environment_has_what_its_steps_import(path: Path) -> None:
    has, packages = environment(path), packages_distributions()
    lacks = {}
    for env, step in steps():
        for name, module in reached(step).items() if env == path.stem else ():
            wanted = {canonical(each) for each in packages[name]}
            if not wanted & has.keys():
                lacks.setdefault(name, f"{step} through {module}")
            for hidden in HIDDEN.get(name, ()):
                if hidden not in has:
                    lacks.setdefault(hidden, f"{name}")
    assert not lacks, f"{path} lacks {lacks}"
