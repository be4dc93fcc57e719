"""What the objectives are called and which options they take, read without importing torch."""

import ast
from functools import cache
from pathlib import Path

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


def _is_objective(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Name) and decorator.id == "objective"
