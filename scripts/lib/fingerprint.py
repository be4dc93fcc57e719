"""Fingerprints of code: a digest of what a step computes, and of nothing else (promise P3).

A step's fingerprint covers the syntax trees of the definitions in its module and, through imports, of exactly those
definitions in other local modules that it reaches. Comments, docstrings, blank lines and formatting are not part of a
syntax tree or are removed, so they change nothing; a changed line changes the fingerprint of every step that can reach
it.

Reachability is decided by name: a definition reaches every top-level name that it mentions. Anything at a module's top
level that is more than a definition (a call, a decorated function that registers itself) always belongs to the module.
"""

import ast
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGE = "scripts"
PURE_DECORATORS = {"dataclass", "cache", "lru_cache", "contextmanager"}
"""Decorators without an effect beyond the definition that they decorate."""


EVERYTHING = None
"""In place of a name: the whole module."""
IMPORTED = ""
"""In place of a name: what importing the module executes."""


@dataclass(frozen=True)
class Module:
    """One parsed module: its definitions by name, its other statements, and the names that its imports bind."""

    definitions: dict[str, list[ast.stmt]]
    always: list[ast.stmt]
    imports: dict[str, tuple[str, str | None]]

    @property
    def names(self) -> set[str]:
        return set(self.definitions) | set(self.imports)


def fingerprint(step: str, root: Path = Path("."), unused: frozenset[str] = frozenset()) -> str:
    """Hex digest of the code that ``python -m <step>`` can reach, such as ``scripts.pairs.tiers``.

    unused: functions that the caller knows the step will not call, such as objectives that the run does not use.
    """
    return _fingerprint(step, root.resolve(), unused)


@cache
def _fingerprint(step: str, root: Path, unused: frozenset[str]) -> str:
    open_ends: list[tuple[str, str | None]] = [(step, EVERYTHING)]
    reached: set[tuple[str, str | None]] = set()
    code: set[tuple[str, str]] = set()
    while open_ends:
        name, symbol = end = open_ends.pop()
        if end in reached:
            continue
        reached.add(end)
        module = _module(name, root)
        if module is None:
            continue
        if symbol in module.imports:
            open_ends.append(module.imports[symbol])
        elif symbol and symbol not in module.definitions:
            open_ends.append((f"{name}.{symbol}", EVERYTHING))
        wanted = module.definitions.keys() & (module.definitions.keys() if symbol is EVERYTHING else {symbol})
        statements = [each for each in module.always if getattr(each, "name", None) not in unused]
        statements += [statement for each in wanted - unused for statement in module.definitions[each]]
        for imported, item in module.imports.values():
            open_ends += [(imported, IMPORTED), (f"{imported}.{item}", IMPORTED)]
        for statement in statements:
            code.add((name, _text(statement)))
            open_ends += [(name, mentioned) for mentioned in _mentioned(statement) & module.names]
    digest = hashlib.sha256()
    for part in sorted(code):
        digest.update("\x1f".join(part).encode("utf-8"))
    return digest.hexdigest()[:16]


@cache
def _module(name: str, root: Path) -> Module | None:
    path = _path(name, root)
    if path is None:
        return None
    definitions: dict[str, list[ast.stmt]] = {}
    always: list[ast.stmt] = []
    imports: dict[str, tuple[str, str | None]] = {}
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            node.body = [item for item in node.body if not _is_docstring(item)] or [ast.Pass()]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == PACKAGE:
                    imports[alias.asname or alias.name] = (alias.name, EVERYTHING)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
            for alias in node.names:
                imports[alias.asname or alias.name] = (node.module, alias.name)
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            continue
        names = _defined(statement)
        if names:
            for each in names:
                definitions.setdefault(each, []).append(statement)
        elif not _is_docstring(statement):
            always.append(statement)
    return Module(definitions, always, imports)


def _path(name: str, root: Path) -> Path | None:
    base = root.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _defined(statement: ast.stmt) -> list[str]:
    """The names that a statement defines, if it does nothing else."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        pure = all(_decorator(item) in PURE_DECORATORS for item in statement.decorator_list)
        return [statement.name] if pure else []
    if isinstance(statement, ast.Assign) and all(isinstance(target, ast.Name) for target in statement.targets):
        return [target.id for target in statement.targets]
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return [statement.target.id]
    return []


def _decorator(node: ast.expr) -> str | None:
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)


@cache
def _mentioned(statement: ast.stmt) -> frozenset[str]:
    """Every name that a statement mentions, dotted names (``scripts.lib.x``) in full, and what it imports.

    Cached, like the text of a statement: most steps reach most of scripts/lib.
    """
    names = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names.add(_dotted(node))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in node.names)
    return frozenset(names)


def _dotted(node: ast.expr) -> str:
    """``a.b.c`` as written; an expression that is not a chain of names begins with a dot and matches no name."""
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


@cache
def _text(statement: ast.stmt) -> str:
    """A statement as text, without comments and formatting (lost in parsing) and docstrings (removed by _module)."""
    return ast.unparse(statement)
