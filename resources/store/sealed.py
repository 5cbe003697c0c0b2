"""A small JSON file that is written whole and gives itself away when somebody changed it."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from selection.basics.whole_files import write_bytes_whole

SEAL = "sha256"
"""Key of the hash over everything else in the file."""


class BrokenSeal(ValueError):
    """A file that is not as it was written."""


def write_sealed(file: Path, values: Mapping[str, Any]) -> None:
    """Write values with their hash; readers find the file whole or not at all."""
    text = json.dumps({**values, SEAL: _hash(values)}, indent=1, sort_keys=True, allow_nan=False)
    write_bytes_whole(file, text.encode())


def read_sealed(file: Path) -> dict[str, Any]:
    """Read what `write_sealed` wrote.

    Raises
    ------
    BrokenSeal
        Naming the file, when it is cut, changed or something else.
    """
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        seal = values.pop(SEAL)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise BrokenSeal(f"{file}: cannot be read: {error!r}") from error
    if seal != _hash(values):
        raise BrokenSeal(f"{file}: was changed: it does not hash to what it says")
    return values


def _hash(values: Mapping[str, Any]) -> str:
    body = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(body.encode()).hexdigest()
