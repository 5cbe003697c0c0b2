"""What makes two texts the same row, and whether a text can be a row at all."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_WORD = re.compile(r"\w+|[^\w\s]")

UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters, bidirectional marks and lone surrogates: the first drive a terminal, the
second reorder what a reader sees, the last cannot be written as UTF-8."""


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


def count_words(text: str) -> int:
    r"""Count words and punctuation marks (``\w+|[^\w\s]``), a length that no tokenizer decides."""
    return sum(1 for _ in _WORD.finditer(text))


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
    return None
