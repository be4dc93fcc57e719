"""The objectives' names and options, read from objectives.py without importing torch."""

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from scripts.lib.config import base

SOURCE = Path(__file__).parents[1] / "objectives.py"


@cache
def objective_options() -> dict[str, frozenset[str]]:
    """Objective name -> its option names: the functions under ``@objective`` in objectives.py."""
    found = {}
    for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and any(_is_objective(item) for item in node.decorator_list):
            arguments = [argument.arg for argument in node.args.args + node.args.kwonlyargs]
            found[node.name] = frozenset(arguments[1:])
    return found


def refuse_out_of_bounds(objective: str, options: Mapping[str, float]) -> None:
    """Raises ValueError if an option does not fit the type (from base.py) in the objective's signature."""
    for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == objective:
            types = {each.arg: ast.unparse(each.annotation) for each in node.args.args + node.args.kwonlyargs}
    for option, value in options.items():
        try:
            TypeAdapter(getattr(base, types[option], float)).validate_python(value)
        except ValidationError as error:
            told = error.errors()[0]["msg"]
            raise ValueError(f"option {option} of {objective}: {told}, and it is {value:g}") from None


def _is_objective(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Name) and decorator.id == "objective"
