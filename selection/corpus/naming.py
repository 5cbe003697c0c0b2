"""Under which partition name is a file, or a value of a column, known?"""

from __future__ import annotations

import os
import re
from urllib.parse import unquote_to_bytes

from selection.corpus.not_read import CannotBeRead

MAX_BYTES = 240
"""Of an encoded name: it is also a folder's name in the store, and those end at 255."""

RESERVED = "all"
"""How the store calls what has no partitions."""

# Dagster forbids three dots in a row. A first letter that is none could hide a folder, or pass for
# an option of a command.
_ODD = re.compile(rb"[^A-Za-z0-9_.-]|\A[_.-]|(?<=\.\.)\.")


def partition_name(name: str) -> str:
    """Return the partition of a name: itself where it is plain, percent-encoded where it is not.

    Plain are letters, digits, `.`, `_` and `-` after a first letter or digit. Every other byte
    becomes `%` and two hexadecimal digits (RFC 3986), so that `urllib.parse.unquote_to_bytes` gives
    the name's bytes back, and two names never share a partition.

    Parameters
    ----------
    name : as `os` gives it; bytes that are not UTF-8 are surrogate escapes.

    Raises
    ------
    CannotBeRead
        For an empty name, and for one that is longer than `MAX_BYTES` once encoded.
    """
    raw = os.fsencode(name)
    encoded = _ODD.sub(_percent, raw).decode("ascii")
    if encoded == RESERVED:
        encoded = f"%{raw[0]:02X}{encoded[1:]}"
    if not encoded:
        raise CannotBeRead("the name is empty", "give it one")
    if len(encoded) > MAX_BYTES:
        raise CannotBeRead(
            f"the name takes {len(encoded):,} bytes, at most {MAX_BYTES} are possible",
            "give it a shorter name",
        )
    return encoded


def name_of(partition: str) -> bytes:
    """Return the name that a partition stands for, as `partition_name` has encoded it."""
    return unquote_to_bytes(partition)


def _percent(found: re.Match[bytes]) -> bytes:
    return b"%%%02X" % found[0][0]
