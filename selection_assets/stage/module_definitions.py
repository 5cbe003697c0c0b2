"""What does a module of the project define, name and do, as far as behaviour may change with it?"""

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from selection.basics.statements import inner_statements

CONFIGURATION = "selection.config"
"""Of its classes only what they do counts, and no `Annotated` type that it gives a name."""

IMPLICIT = "implicit()"
"""Stands for members that run without being named, wherever a configuration is."""


@dataclass
class Module:
    """Names that a module defines and imports, and what else it does when it is loaded.

    Attributes
    ----------
    members : of a configuration's classes, which as definitions are empty.
    """

    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    effects: list[ast.stmt] = field(default_factory=list)
    members: list[tuple[str, ast.stmt]] = field(default_factory=list)


@cache
def find_module(module: str) -> Path | None:
    """Find a module's file without importing the packages above it."""
    top, _, below = module.partition(".")
    spec = _find_spec(top)
    if spec is None or not spec.has_location:
        return None
    if spec.submodule_search_locations is None:
        return None if below else Path(str(spec.origin))
    for folder in spec.submodule_search_locations:
        path = Path(folder, *below.split(".")) if below else Path(folder)
        for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
            if file.is_file():
                return file
    return None


_find_spec = cache(importlib.util.find_spec)


@cache
def read_module(module: str) -> Module:
    """Read a module without running it.

    Raises
    ------
    ValueError
        When it lies in no file.
    """
    file = find_module(module)
    if file is None:
        raise ValueError(f"no file of the module {module} to take a code version from")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = Module()
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.imports.setdefault(alias.asname or alias.name, set()).add((alias.name, "*"))
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                target = (node.module, alias.name)
                found.imports.setdefault(alias.asname or alias.name, set()).add(target)
    _strip(tree)
    for statement in tree.body:
        names, counted = _defined(statement), [statement]
        if within(module, CONFIGURATION):
            if isinstance(statement, ast.ClassDef):
                found.members += _members(statement)
                statement.body = [ast.Pass()]
            elif _is_type(getattr(statement, "value", None)):
                counted = []
        for name in names:
            found.definitions.setdefault(name, []).extend(counted)
        if not names and not isinstance(statement, ast.Pass):
            found.effects.append(statement)
    return found


def _defined(statement: ast.stmt) -> list[str]:
    """Names that a statement at the top of a module gives a meaning to."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
    return []


def _members(of: ast.ClassDef) -> Iterator[tuple[str, ast.stmt]]:
    """Give what a configuration's class does; not its fields, nor its validators."""
    for statement in of.body:
        said = " ".join(ast.dump(each) for each in getattr(statement, "decorator_list", []))
        declared = isinstance(statement, ast.AnnAssign) and "ClassVar" not in ast.dump(
            statement.annotation
        )
        for name in _defined(statement):
            implicit = name.startswith("__") or name == "model_post_init" or "serializer" in said
            if not declared and "validator" not in said and name != "model_config":
                yield IMPLICIT if implicit else name, statement


def _is_type(value: ast.expr | None) -> bool:
    return value is not None and ast.unparse(value).startswith("Annotated[")


def within(module: str, part: str) -> bool:
    """Whether a module is another one, or lies below it."""
    return f"{module}.".startswith(f"{part}.")


def _strip(tree: ast.Module) -> None:
    """Take away what says nothing about what code does: imports, docstrings, texts of constants."""
    for node in _statements(tree):
        for name in _BLOCKS:
            statements = getattr(node, name, None)
            if isinstance(statements, list):
                kept = [statement for statement in statements if not _is_silent(statement)]
                setattr(node, name, kept or ([ast.Pass()] if name == "body" else []))


_BLOCKS = ("body", "orelse", "finalbody")


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """A module, its statements, and all that has statements in them, such as a handler."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += inner_statements(node)


def _is_silent(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Import | ast.ImportFrom)
