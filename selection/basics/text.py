"""What makes two texts the same row, and whether a text can be a row at all."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import cache

UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters, bidirectional marks and lone surrogates: the first drive a terminal, the
second reorder what a reader sees, the last cannot be written as UTF-8."""


def printable(text: str) -> str:
    """Write whatever does not print, line breaks too, as Python does: no text forges a line."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


MAX_MARKS = 30
"""Combining marks in a row, as in Unicode's Stream-Safe Text Format (UAX #15): to put n of them in
their order takes n squared steps."""
_MAYBE_MARKS = re.compile(rf"[^\w\s]{{{MAX_MARKS + 1}}}")


def normalise(text: str) -> str:
    """Return the form of a text that decides its identity.

    Unicode NFC, every run of white space one space, none at the ends. Case and punctuation stay:
    texts that differ in them are different training rows. ``normalise`` of the result is itself.
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def row_id(text: str) -> str:
    """Return the content hash that names a row, of its text as read or normalised.

    Returns
    -------
    str
        32 hexadecimal characters, BLAKE2b (16 bytes) of the normalised text in UTF-8.

    Raises
    ------
    UnicodeEncodeError
        The text holds a lone surrogate, which ``text_fault`` reports beforehand.
    """
    return hashlib.blake2b(normalise(text).encode("utf-8"), digest_size=16).hexdigest()


def text_fault(text: str) -> str | None:
    """Say why a text, as decoded, cannot be stored or trained on; None for a usable one."""
    if not text or text.isspace():
        return "empty text"
    if "\0" in text:
        return "NUL character"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "lone surrogate"
    # No mark is a letter, and looking for those is thirty times as fast.
    maybe = None if text.isascii() else _MAYBE_MARKS.search(text)
    run = maybe and _too_many_marks().search(text, maybe.start())
    if run:
        return f"too many marks: over {MAX_MARKS} combining marks in a row at {run.start():,}"
    return None


@cache
def _too_many_marks() -> re.Pattern[str]:
    """Match more marks in a row than are allowed; made once, from the characters of this Unicode.

    A mark has a combining class, or is one of the few that become such marks (U+0F73).
    """
    marks = [
        character
        for character in map(chr, range(0x300, 0x20000))  # no plane above has any
        if unicodedata.combining(unicodedata.normalize("NFD", character)[0])
    ]
    return re.compile(f"[{''.join(marks)}]{{{MAX_MARKS + 1}}}")
