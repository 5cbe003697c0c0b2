"""Versions of code that change when behaviour may change, and not when a comment does."""

import ast
import hashlib
import importlib.util
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from pydantic import BaseModel

Parameters = dict[str, object]


def code_version(modules: Sequence[str], parameters: Parameters) -> str:
    """Hash of what some modules do and of the parameters they are called with.

    A module counts by its syntax tree without docstrings; a package counts with every module in
    it. Nobody has to remember to raise a number, so nothing stale is ever reused.

    Parameters
    ----------
    modules : dotted names.
    parameters : JSON values and pydantic models.
    """
    digest = hashlib.sha256()
    for module in sorted(set(modules)):
        digest.update(_module_hash(module).encode())
    digest.update(json.dumps(parameters, sort_keys=True, default=_plain).encode())
    return digest.hexdigest()[:16]


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"a parameter of type {type(value).__name__} has no stable form")


@cache
def _module_hash(module: str) -> str:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ValueError(f"no module {module} to take a code version from")
    origin = Path(spec.origin)
    files = sorted(origin.parent.rglob("*.py")) if origin.name == "__init__.py" else [origin]
    digest = hashlib.sha256()
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            _drop_docstring(node)
        digest.update(ast.dump(tree).encode())
    return digest.hexdigest()


def _drop_docstring(node: ast.AST) -> None:
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
        node.body = node.body[1:]
