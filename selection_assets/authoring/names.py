"""How is what a person has not named called?"""

import re
from collections.abc import Collection
from pathlib import Path

from selection.config.names import NAME_PATTERN, PARTITION_PATTERN
from selection.corpus.drop_folder import stem

LONGEST = 40
"""Characters of a name that is made from others."""


def name_after(said: str) -> str:
    """Return a name for a study, a pool or a model that reminds of a text."""
    plain = re.sub(r"[^a-z0-9]+", "_", said.lower()).strip("_")[:LONGEST].strip("_")
    name = plain if re.match("[a-z]", plain) else f"of_{plain}".strip("_")
    assert re.match(NAME_PATTERN, name), name
    return name


def source_names(paths: Collection[Path]) -> list[str]:
    """Return a name for each file, none of them twice."""
    names: list[str] = []
    for path in paths:
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", stem(path))[:LONGEST].strip("_.-") or "rows"
        assert re.match(PARTITION_PATTERN, plain), plain
        names.append(unlike(names, plain))
    return names


def unlike(taken: Collection[str], name: str) -> str:
    """Return the name, with a number after it where it is taken."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free
