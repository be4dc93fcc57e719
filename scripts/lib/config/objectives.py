"""The objectives' names and options, read from objectives.py and reward_objectives.py without importing torch."""

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from scripts.lib.config import base

SOURCE = Path(__file__).parents[1] / "objectives.py"
REWARD_SOURCE = SOURCE.with_name("reward_objectives.py")


@cache
def objective_options() -> dict[str, frozenset[str]]:
    """Objective of pairs -> its option names: the functions under ``@objective`` in objectives.py."""
    return {name: frozenset(_arguments(node)) for name, node in _objectives(SOURCE)}


@cache
def reward_objective_options() -> dict[str, frozenset[str]]:
    """Objective with a reward -> its option names: the same in reward_objectives.py."""
    return {name: frozenset(_arguments(node)) for name, node in _objectives(REWARD_SOURCE)}


def all_objective_options() -> dict[str, frozenset[str]]:
    """Every objective -> its option names."""
    return objective_options() | reward_objective_options()


def refuse_out_of_bounds(objective: str, options: Mapping[str, float]) -> None:
    """Raises ValueError if an option does not fit the type (from base.py) in the objective's signature."""
    types = _arguments(dict([*_objectives(SOURCE), *_objectives(REWARD_SOURCE)])[objective])
    for option, value in options.items():
        try:
            TypeAdapter(getattr(base, types[option], float)).validate_python(value)
        except ValidationError as error:
            told = error.errors()[0]["msg"]
            raise ValueError(f"option {option} of {objective}: {told}, and it is {value:g}") from None


def _objectives(source: Path) -> list[tuple[str, ast.FunctionDef]]:
    functions = [
        node for node in ast.parse(source.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)
    ]
    return [(each.name, each) for each in functions if any(_is_objective(item) for item in each.decorator_list)]


def _arguments(objective: ast.FunctionDef) -> dict[str, str]:
    """Option -> the name of its type."""
    arguments = objective.args.args + objective.args.kwonlyargs
    return {each.arg: ast.unparse(each.annotation) for each in arguments[1:]}


def _is_objective(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Name) and decorator.id == "objective"
