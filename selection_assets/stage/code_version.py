"""Versions of code that change when behaviour may change, and not when code moves or is explained.

Counted are definitions: of a function that makes an asset, every function, class and constant of
the project that it names, that those name, and so on, each by its syntax tree without docstrings
and import statements. So it does not matter in which module a definition lies, and nobody has to
remember to raise a number or to list a helper: nothing stale is ever reused.

Of a configuration the values are parameters, and what its classes declare and refuse does not
count; what they do counts where it is used. Its objects come out of fields, so code need not name
their class: whatever reads an attribute counts all that configurations have under that name.
"""

import ast
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

from pydantic import BaseModel

from selection_assets.stage.module_definitions import (
    CONFIGURATION,
    IMPLICIT,
    find_module,
    read_module,
    within,
)

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

UNCOUNTED = ("selection.budget",)
"""What a step costs is no part of what it makes."""


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
    named = [(each.__module__, each.__qualname__.partition(".")[0]) for each in code]
    digest = hashlib.sha256("".join(_hashes(tuple(named))).encode())
    digest.update(json.dumps(parameters, sort_keys=True, default=_plain).encode())
    return digest.hexdigest()[:16]


@cache
def _hashes(code: tuple[tuple[str, str], ...]) -> Sequence[str]:
    """Hashes of the trees of all that some names of modules lead to, sorted."""
    packages = {*FOLLOWED, *(module.partition(".")[0] for module, _ in code)}
    waiting = list(code)
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
                found = (whole, "*") if find_module(whole) is not None else (module, name)
                if _counts(found[0]):
                    waiting.append(found)
    return sorted(hashes)


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"a parameter of type {type(value).__name__} has no stable form")


@cache
def _definition(module: str, name: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Hashes of the trees that a name of a module stands for, and what these name in their turn.

    The name `*` stands for the whole module, and `*.member` for that of every configuration.
    """
    if name.startswith("*."):
        members = _behaviour()[name.removeprefix("*.")]
        named = [each for at, tree in members for each in _named(at, [tree])]
        return [_hash(tree) for _, tree in members], named
    read = read_module(module)
    if name != "*" and name not in read.definitions:  # imported there, to be had from there
        return [], sorted(read.imports.get(name, ()))
    everything = [tree for trees in read.definitions.values() for tree in trees]
    trees = [*(everything if name == "*" else read.definitions[name]), *read.effects]
    return [_hash(tree) for tree in trees], _named(module, trees)


def _named(module: str, trees: Sequence[ast.stmt]) -> list[tuple[str, str]]:
    """What some trees of a module name, and the members of configurations that they may read."""
    read, nodes = read_module(module), [node for tree in trees for node in _nodes(tree)]
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    named = [(module, other) for other in used & read.definitions.keys()]
    named += [target for other in used & read.imports.keys() for target in read.imports[other]]
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    attributes.update(*(node.kwd_attrs for node in nodes if isinstance(node, ast.MatchClass)))
    if any(within(other, CONFIGURATION) for other, _ in named):
        attributes.add(IMPLICIT)
    return named + [(CONFIGURATION, f"*.{name}") for name in attributes & _behaviour().keys()]


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a tree but those that say how a name is used, faster than `ast.walk`."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for name in node._fields:
            below = getattr(node, name, None)
            if isinstance(below, list):
                waiting += [one for one in below if isinstance(one, ast.AST)]
            elif isinstance(below, ast.AST) and name != "ctx":
                waiting.append(below)


@cache
def _behaviour() -> Mapping[str, Sequence[tuple[str, ast.stmt]]]:
    """What the classes of configurations do, each with its module, by the name that it has."""
    found: dict[str, list[tuple[str, ast.stmt]]] = defaultdict(list)
    initial = find_module(CONFIGURATION)
    assert initial is not None
    for file in sorted(initial.parent.rglob("*.py")):
        below = file.relative_to(initial.parent).with_suffix("").parts
        module = ".".join([CONFIGURATION, *(part for part in below if part != "__init__")])
        for name, tree in read_module(module).members:
            found[name].append((module, tree))
    return dict(found)


@cache
def _counts(module: str) -> bool:
    return not any(within(module, part) for part in (*PLUMBING, *UNCOUNTED))


def _hash(tree: ast.stmt) -> str:
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()
