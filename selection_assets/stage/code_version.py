"""Versions of code that change when behaviour may change, and not when code moves or is explained.

Counted are definitions: of a function that makes an asset, every function, class and constant of
the project that it names, that those name, and so on, each by its syntax tree without docstrings
and import statements. So it does not matter in which module a definition lies, and nobody has to
remember to raise a number or to list a helper: nothing stale is ever reused.
"""

import ast
import hashlib
import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pydantic import BaseModel

Parameters = Mapping[str, object]
Code = Callable[..., object]
"""A function or a class; what lies inside another one counts as all of that."""

FOLLOWED = ("selection", "selection_assets")
"""Packages whose definitions count; `resources` is plumbing."""

PLUMBING = (
    "selection_assets.stage",
    "selection_assets.planning.known_rates",
    "selection_assets.planning.rates",
)
"""Modules that carry a stage's result without changing it."""

UNCOUNTED = ("selection.budget", "selection.config")
"""What a step costs is no part of what it makes; and of a configuration the values count, which
are parameters."""


def code_version(code: Sequence[Code], parameters: Parameters) -> str:
    """Hash of what some functions and classes do, with all of the project that they name.

    Parameters
    ----------
    code : of the project, or of another package, which is then followed like the project's.
    parameters : JSON values and pydantic models.

    Raises
    ------
    ValueError
        For code that lies in no file.
    TypeError
        For a parameter without a stable form.
    """
    packages = {*FOLLOWED, *(each.__module__.partition(".")[0] for each in code)}
    waiting = [(each.__module__, each.__qualname__.partition(".")[0]) for each in code]
    reached: set[tuple[str, str]] = set()
    hashes: set[str] = set()
    while waiting:
        at = waiting.pop()
        if at in reached:
            continue
        reached.add(at)
        trees, named = _definition(*at)
        hashes.update(trees)
        for module, name in named:
            if module.partition(".")[0] in packages:
                whole = module if name == "*" else f"{module}.{name}"
                found = (whole, "*") if _file(whole) is not None else (module, name)
                if _counts(found[0]):
                    waiting.append(found)
    digest = hashlib.sha256("".join(sorted(hashes)).encode())
    digest.update(json.dumps(parameters, sort_keys=True, default=_plain).encode())
    return digest.hexdigest()[:16]


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"a parameter of type {type(value).__name__} has no stable form")


@dataclass
class _Module:
    """Names that a module defines and imports, and what else it does when it is loaded."""

    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    effects: list[ast.stmt] = field(default_factory=list)


@cache
def _definition(module: str, name: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Hashes of the trees that a name of a module stands for, and what these name in their turn.

    The name `*` stands for the whole module.
    """
    read = _read(module)
    if name != "*" and name not in read.definitions:  # imported there, to be had from there
        return [], sorted(read.imports.get(name, ()))
    everything = [tree for trees in read.definitions.values() for tree in trees]
    trees = [*(everything if name == "*" else read.definitions[name]), *read.effects]
    used = {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}
    named = [(module, other) for other in used & read.definitions.keys()]
    named += [target for other in used & read.imports.keys() for target in read.imports[other]]
    return [_hash(tree) for tree in trees], named


def _counts(module: str) -> bool:
    return not any(f"{module}.".startswith(f"{part}.") for part in (*PLUMBING, *UNCOUNTED))


@cache
def _file(module: str) -> Path | None:
    """Find a module's file without importing the packages above it."""
    top, _, below = module.partition(".")
    spec = importlib.util.find_spec(top)
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


@cache
def _read(module: str) -> _Module:
    file = _file(module)
    if file is None:
        raise ValueError(f"no file of the module {module} to take a code version from")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = _Module()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.imports.setdefault(alias.asname or alias.name, set()).add((alias.name, "*"))
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                target = (node.module, alias.name)
                found.imports.setdefault(alias.asname or alias.name, set()).add(target)
    _strip(tree)
    for statement in tree.body:
        names = _defined(statement)
        for name in names:
            found.definitions.setdefault(name, []).append(statement)
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


def _hash(tree: ast.stmt) -> str:
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _strip(tree: ast.Module) -> None:
    """Take away what says nothing about what code does: imports, docstrings, texts of constants."""
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            statements = getattr(node, name, None)
            if isinstance(statements, list):
                kept = [statement for statement in statements if not _is_silent(statement)]
                setattr(node, name, kept or ([ast.Pass()] if name == "body" else []))


def _is_silent(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Import | ast.ImportFrom)
