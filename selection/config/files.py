"""Read a YAML file into a validated model, or say exactly what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)

Resolve = Callable[[str], Path]
"""Where a path lies that a configuration names: those that are relative start from the project."""


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
        When the file is missing, is not YAML, or has a field that is unknown, missing or out of
        bounds. Every problem is listed, one a line: file, field, value, what is allowed.
    """
    if not path.is_file():
        raise ConfigurationError(f"{path}: no such file")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not readable as YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path}: the top level must be a mapping of fields to values")
    try:
        return model.model_validate(content, context=places)
    except ValidationError as error:
        problems = [_problem(path, detail) for detail in error.errors()]
        raise ConfigurationError("\n".join(problems)) from error


def _problem(path: Path, detail: object) -> str:
    assert isinstance(detail, dict)
    field = ".".join(str(part) for part in detail["loc"]) or "(the whole file)"
    if detail["type"] == "missing":
        return f"{path}: field {field} is missing: {detail['msg']}"
    if detail["type"] == "extra_forbidden":
        return f"{path}: field {field} is not known (value {detail['input']!r}); remove or respell"
    return f"{path}: field {field} has value {detail['input']!r}: {detail['msg']}"
