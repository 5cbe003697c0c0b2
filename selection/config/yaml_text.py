"""What does a YAML text say, and on which line, without its being able to take the machine?

A configuration is plain: mappings with text as keys, lists, texts and finite numbers. Whatever YAML
allows beyond that is refused: a key given twice, of which readers silently keep the last; merge
keys, of which they silently leave out what is there already; tags; aliases in aliases, by which a
few lines stand for billions of values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from selection.basics.brevity import LONGEST, cut
from selection.basics.text import UNPRINTABLE

MAX_NODES = 20_000
"""Values, keys among them, with each alias counted as all that it stands for."""
MAX_DEPTH = 20
"""Mappings and lists within each other."""
MAX_ALIAS_DEPTH = 3
"""Aliases of what has aliases itself."""
MAX_DIGITS = 40
"""Of a whole number."""

Location = tuple[str | int, ...]
"""Where a value is: keys and places in lists, from the top."""


class YamlRefused(ValueError):
    """A text that is no plain YAML; the message says on which line, in which field, and why."""


@dataclass(frozen=True)
class Located:
    """What a text says.

    Attributes
    ----------
    content : mappings, lists, texts, numbers, bools and None.
    lines : the line, from 1, of each value, or of its key where it has one.
    """

    content: Any
    lines: Mapping[Location, int]

    def line_of(self, location: Location) -> int:
        """Line of a value, or of the innermost one that is there; what names no part is skipped."""
        at: Location = ()
        for part in location:
            if (*at, part) in self.lines:
                at = (*at, part)
        return self.lines[at]


def read_yaml(text: str) -> Located:
    """Read one document.

    Raises
    ------
    YamlRefused
        For what is no YAML, or none of the plain kind.
    """
    seen: _Seen | None = None
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return Located(None, {(): 1})
            seen = _Seen()
            seen.visit(root, ())
            return Located(loader.construct_document(root), seen.lines)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        said = [part for part in (error.context, error.problem) if part]
        raise YamlRefused(f"{where}{cut(', '.join(said), 3 * LONGEST)}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlRefused(f"line {line}: a character that YAML does not allow") from error


class _Loader(yaml.SafeLoader):
    """Composes plain YAML only, with the numbers of YAML 1.2.

    YAML 1.1 takes 010 for eight, 1:30 for ninety, and 2e15 for text.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()
        if getattr(event, "tag", None) is not None:
            raise _refused(
                event,
                f"the tag {cut(event.tag)!r}: only plain values are read, without tags",
            )
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _refused(event, f"nested more than {MAX_DEPTH} deep")
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_MERGE = "tag:yaml.org,2002:merge"
_REPLACED = (_INT, _FLOAT, "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag not in _REPLACED]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_INT, re.compile(r"[-+]?(0|[1-9][0-9_]*)$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    _FLOAT,
    re.compile(
        r"[-+]?((0|[1-9][0-9_]*)(\.[0-9_]*([eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)"
        r"|\.[0-9][0-9_]*([eE][-+]?[0-9]+)?)$"
        r"|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$"
    ),
    list("-+.0123456789"),
)


@dataclass
class _Seen:
    """The values of a document in its order, with what they amount to.

    Attributes
    ----------
    sizes : of a node seen, by its identity: values that it stands for, and how deep its aliases go;
        None while it is being looked at.
    """

    lines: dict[Location, int] = field(default_factory=dict)
    sizes: dict[int, tuple[int, int] | None] = field(default_factory=dict)

    def visit(self, node: Any, at: Location) -> tuple[int, int]:
        """Look at a node and all below it; what is wrong with one is raised with its field."""
        self.lines.setdefault(at, node.start_mark.line + 1)
        if id(node) in self.sizes:
            size = self.sizes[id(node)]
            if size is None:
                raise _refused(node, f"{_field(at)} contains itself, by an alias")
            values, depth = size[0], size[1] + 1
        else:
            self.sizes[id(node)] = None
            values, depth = 1, 0
            for part, child in self._children(node, at):
                of_child, deep = self.visit(child, (*at, part))
                values, depth = values + of_child + 1, max(depth, deep)
            self.sizes[id(node)] = values, depth
        if depth > MAX_ALIAS_DEPTH:
            raise _refused(
                node, f"{_field(at)}: aliases within aliases, over {MAX_ALIAS_DEPTH} deep"
            )
        if values > MAX_NODES:
            raise _refused(node, f"{_field(at)} stands for more than {MAX_NODES:,} values")
        return values, depth

    def _children(self, node: Any, at: Location) -> list[tuple[str | int, Any]]:
        if isinstance(node, yaml.SequenceNode):
            return list(enumerate(node.value))
        if isinstance(node, yaml.ScalarNode):
            _check_scalar(node, at)
            return []
        found: dict[str | int, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _refused(key, f"{_field(at)}: a key must be text")
            _check_scalar(key, at)
            if key.tag == _MERGE:
                raise _refused(
                    key, f"{_field(at)}: the merge key `<<` is not read; write its fields out"
                )
            here = (*at, key.value)
            if key.value in found:
                first = self.lines[here]
                raise _refused(key, f"{_field(here)} is given twice, first on line {first}")
            found[key.value] = value
            self.lines[here] = key.start_mark.line + 1
        return list(found.items())


def _check_scalar(node: yaml.ScalarNode, at: Location) -> None:
    """Refuse what no setting can be: no finite number, or text that drives a terminal."""
    text = node.value
    unprintable = UNPRINTABLE.search(text)
    if unprintable is not None:
        code = f"U+{ord(unprintable[0]):04X}"
        raise _refused(node, f"{_field(at)} has the control character {code}")
    digits = sum(map(str.isdigit, text))
    if node.tag == _INT and digits > MAX_DIGITS:
        raise _refused(node, f"{_field(at)} is a number of {digits:,} digits")
    if node.tag == _FLOAT and (
        text.lstrip("+-").lower() in (".inf", ".nan") or not math.isfinite(_number(text))
    ):
        raise _refused(node, f"{_field(at)} is {text[:40]}: a number must be finite")


def _number(text: str) -> float:
    return float(text.replace("_", ""))


def _field(at: Location) -> str:
    return f"field {cut('.'.join(map(str, at)))}" if at else "the whole file"


def _refused(at: Any, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=at.start_mark)
