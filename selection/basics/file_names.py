"""How is a file's name printed, which may be any bytes?"""

from __future__ import annotations

import os


def printable_name(name: str) -> str:
    """Make a name safe to print: bytes that are no text and control characters are escaped."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
