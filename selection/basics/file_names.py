"""How is a file's name printed, which may be any bytes?"""

from __future__ import annotations

import os

from selection.basics.text import printable

LONGEST = 500
"""Characters of a name that are printed: one of a file, with its folders, seldom has as many."""


def printable_name(name: str) -> str:
    """Make a name safe to print: bytes that are no text and control characters are escaped.

    Of more than `LONGEST` characters the middle is left out.
    """
    if len(name) > LONGEST:
        half = LONGEST // 2
        name = f"{name[:half]}\N{HORIZONTAL ELLIPSIS}{name[-half:]}"
    return escaped_name(name)


def escaped_name(name: str) -> str:
    """Make the whole of a name safe to print and to store."""
    return printable(os.fsencode(name).decode("utf-8", "backslashreplace"))
