"""Read a YAML file into a validated model, or say exactly what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from selection.basics.brevity import LONGEST, cut
from selection.basics.file_names import printable_name
from selection.config.addresses import without_keys
from selection.config.yaml_text import Located, Location, YamlRefused, read_yaml

Model = TypeVar("Model", bound=BaseModel)

_read_once = lru_cache(maxsize=256)(read_yaml)
"""A command reads the same files again and again, each time to see whether they have changed."""

Resolve = Callable[[str], Path]
"""Where a path lies that a configuration names: those that are relative start from the project."""

MAX_BYTES = 256 * 2**10
"""Of a configuration's file."""
MOST_PROBLEMS = 50
"""Of one file that are listed: a wrong one may have thousands."""


@dataclass(frozen=True)
class Places:
    """Where the paths of a configuration may lie; both give where one does, or say why it may not.

    Attributes
    ----------
    path : for a file, or a folder of files that we read one by one.
    folder : for a folder that a library reads by itself.
    """

    path: Resolve
    folder: Resolve


class ConfigurationError(ValueError):
    """A configuration file that cannot be used; the message names file, field and remedy."""


class FieldErrors(ValueError):
    """Problems of parts of a field that pydantic does not know as fields of their own.

    Attributes
    ----------
    found : where below the field, and what is wrong there.
    """

    def __init__(self, found: Sequence[tuple[Location, str]]) -> None:
        super().__init__("; ".join(problem for _, problem in found))
        self.found = tuple(found)


def load_yaml(model: type[Model], path: Path, *, places: Places | None = None) -> Model:
    """Validate one YAML file.

    Parameters
    ----------
    model : the pydantic model that says what is allowed.
    path : the file.
    places : looks at each path that the file names; without it, nobody does.

    Raises
    ------
    ConfigurationError
        When the file is missing, is no plain YAML of a sane size, or has a field that is unknown,
        missing or out of bounds. The first `MOST_PROBLEMS` are listed, one a line: file, field,
        line, value, what is allowed.
    """
    name = printable_name(str(path))
    try:
        read = _read_once(_text_of(path, name))
    except YamlRefused as error:
        raise ConfigurationError(f"{name}: {error}") from error
    if not isinstance(read.content, dict):
        raise ConfigurationError(f"{name}: line 1: the top level must be fields with their values")
    try:
        return model.model_validate(read.content, context=places)
    except ValidationError as error:
        problems = [line for detail in error.errors() for line in _problems(name, read, detail)]
        more = len(problems) - MOST_PROBLEMS
        if more > 0:
            problems[MOST_PROBLEMS:] = [f"{name}: and {more:,} more problems"]
        raise ConfigurationError("\n".join(problems)) from error


def _text_of(path: Path, name: str) -> str:
    if not path.is_file():
        raise ConfigurationError(f"{name}: {_instead_of_a_file(path)}")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{name}: cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise ConfigurationError(
            f"{name}: more than {MAX_BYTES:,} bytes, which no study or pool needs"
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{name}: line {line}: not UTF-8: {error.reason}") from error


def _instead_of_a_file(path: Path) -> str:
    if path.is_dir():
        return "is a folder; a study or a pool is one file"
    if path.is_symlink() and not path.exists():
        return f"is a link to {printable_name(str(path.readlink()))}, which is not there; remove it"
    return "is no regular file; remove it" if os.path.lexists(path) else "no such file"


def _problems(name: str, read: Located, detail: Any) -> Iterator[str]:
    """What is wrong with a field: one line, or one for each of its parts."""
    at: Location = detail["loc"]
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, FieldErrors):
        for below, problem in cause.found:
            yield f"{name}: {_field(read, (*at, *below))}: {cut(problem, 5 * LONGEST)}"
        return
    field, said = f"{name}: {_field(read, at)}", cut(detail["msg"], 5 * LONGEST)
    if detail["type"] == "missing":
        yield f"{field} is missing: {said}"
    elif detail["type"] == "extra_forbidden":
        yield f"{field} is not known (value {_shown(detail)}); remove or respell"
    else:
        yield f"{field} has value {_shown(detail)}: {said}"


def _field(read: Located, at: Location) -> str:
    field = ".".join(str(part) for part in at) or "(the whole file)"
    return f"field {cut(field)} (line {read.line_of(at)})"


def _shown(detail: Any) -> str:
    return cut(without_keys(repr(detail["input"])))
