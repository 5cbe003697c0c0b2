"""Versions of code that change when behaviour may change, and not when a comment does."""

import ast
import hashlib
import importlib.util
import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from pydantic import BaseModel

Parameters = dict[str, object]

FOLLOWED = ("selection.", "selection_assets.")
PLUMBING = frozenset(
    f"selection_assets.{name}"
    for name in (
        "automation",
        "code_version",
        "draft",
        "expected",
        "inputs",
        "keys",
        "known_rates",
        "metadata",
        "payers",
        "rates",
        "stage",
        "step",
        "step_cost",
    )
)
"""What carries a stage's result without changing it. `resources` is plumbing too."""

UNCOUNTED = ("selection.budget", "selection.config", "selection.forecast")
"""What a step costs is no part of what it makes; and of a configuration the values count, which
are parameters."""


def code_version(modules: Sequence[str], parameters: Parameters) -> str:
    """Hash of what some modules do, with every module of the project that they import.

    Modules count by their syntax trees without docstrings. Nobody has to remember to raise a
    number or to list a helper, so nothing stale is ever reused.

    Parameters
    ----------
    modules : dotted names to start from; a package counts with every module in it.
    parameters : JSON values and pydantic models.
    """
    reached: set[Path] = set()
    waiting = [file for module in modules for file in _files(module)]
    while waiting:
        file = waiting.pop()
        if file not in reached:
            reached.add(file)
            waiting += _imports(file)
    digest = hashlib.sha256()
    for tree_hash in sorted(_tree_hash(file) for file in reached):
        digest.update(tree_hash.encode())
    digest.update(json.dumps(parameters, sort_keys=True, default=_plain).encode())
    return digest.hexdigest()[:16]


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"a parameter of type {type(value).__name__} has no stable form")


def _files(module: str) -> list[Path]:
    origin = _origin(module)
    if origin is None:
        raise ValueError(f"no module {module} to take a code version from")
    return sorted(origin.parent.rglob("*.py")) if origin.name == "__init__.py" else [origin]


@cache
def _origin(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:  # its parent is a module and no package: a name was imported
        return None
    return Path(spec.origin) if spec is not None and spec.origin else None


@cache
def _tree(file: Path) -> ast.Module:
    """Return the syntax tree of a module, docstrings removed."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        _drop_docstring(node)
    return tree


@cache
def _imports(file: Path) -> tuple[Path, ...]:
    """Files of the project that a module imports, anywhere in it."""
    found = (_origin(name) for name in _imported_names(_tree(file)) if _counts(name))
    return tuple(origin for origin in found if origin is not None)


def _imported_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _counts(module: str) -> bool:
    return (
        module.startswith(FOLLOWED) and module not in PLUMBING and not module.startswith(UNCOUNTED)
    )


@cache
def _tree_hash(file: Path) -> str:
    return hashlib.sha256(ast.dump(_tree(file)).encode()).hexdigest()


def _drop_docstring(node: ast.AST) -> None:
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
        node.body = node.body[1:]
