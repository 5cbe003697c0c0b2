"""A page of which several commands write one part each, and people the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def put_part(page: str, name: str, text: str) -> str:
    """Replace a part of a page, or append it where there is none.

    Parts stand between two HTML comments, which no reader sees; what is outside of them stays, and
    the page ends in one line end.

    Raises
    ------
    ValueError
        If the page has only one of the part's two comments, has them twice or in the wrong order,
        or the text contains a comment of this kind.
    """
    start, end = f"<!-- part {name} -->", f"<!-- end of part {name} -->"
    if start in text or end in text:
        raise ValueError(f"the text of part {name} contains its own marker.")
    part = f"{start}\n\n{text.strip()}\n\n{end}"
    counts = page.count(start), page.count(end)
    if counts == (0, 0):
        return f"{page.rstrip()}\n\n{part}\n".lstrip()
    before, _, rest = page.partition(start)
    _, _, after = rest.partition(end)
    if counts != (1, 1) or end in before:
        raise ValueError(
            f"the page has {counts[0]} beginnings and {counts[1]} ends of part {name}, and needs "
            "one of each, in order: mend it by hand, or remove both."
        )
    return f"{before}{part}{after.rstrip()}\n"


def put_parts(page: str, parts: Mapping[str, str]) -> str:
    """Put several parts in their places, as `put_part` does."""
    for name, text in parts.items():
        page = put_part(page, name, text)
    return page


def write_measured(
    page: Path, measured: Path, parts: Callable[[dict[str, Any]], Mapping[str, str]]
) -> None:
    """Write the parts of a page that come of the figures in a file of JSON."""
    found = parts(json.loads(measured.read_text("utf-8")))
    page.write_text(put_parts(page.read_text("utf-8"), found), "utf-8")
