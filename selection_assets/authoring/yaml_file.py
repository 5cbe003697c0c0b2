"""A configuration as a file that a person reads: with a comment above each part of it."""

from collections.abc import Iterable, Mapping
from textwrap import wrap
from typing import Any

import yaml

WIDTH = 96


def commented(parts: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    """Lay out fields, a comment of any length above each part; a comment may stand alone."""
    return "".join(_comment(said) + (_fields(fields) if fields else "") for said, fields in parts)


def _comment(said: str) -> str:
    return "".join(f"# {line}\n" for line in wrap(said, WIDTH - 2))


def _fields(fields: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(fields), sort_keys=False, allow_unicode=True, width=WIDTH)
