"""Is a published file what its manifest says, without reading it again and again?"""

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FULLY_VERIFIED_BYTES = 64 * 2**20
"""Larger files have only their size checked on every read; `verify` hashes everything."""

_SETTLED_NS = 10 * 10**9
"""Age from which on the times of a file tell whether it has changed: clocks tick slowly."""

_found_whole: set[tuple[object, ...]] = set()


class CorruptArtifact(RuntimeError):
    """A published file that is not what its manifest says."""


def check_file(path: Path, entry: Mapping[str, Any], *, full: bool) -> None:
    """Hold a file against its entry of a manifest, with `bytes` and `sha256`.

    A file that this process has hashed before, and that nobody has touched since by its inode and
    its times, is not hashed again. Whoever changes it, and sets back when that was, changes when
    the inode was changed.

    Parameters
    ----------
    full : hash it whatever its size, and whatever is known of it.

    Raises
    ------
    CorruptArtifact
        Naming the file and what differs.
    """
    if not path.is_file():
        raise CorruptArtifact(f"{path}: missing; materialize the asset again")
    found = path.stat()
    if found.st_size != entry["bytes"]:
        raise CorruptArtifact(
            f"{path}: has {found.st_size} bytes, its manifest says {entry['bytes']}"
        )
    times = (found.st_mtime_ns, found.st_ctime_ns)
    seen = (path, found.st_dev, found.st_ino, *times, entry["sha256"])
    if not full and (found.st_size > FULLY_VERIFIED_BYTES or seen in _found_whole):
        return
    if hash_file(path) != entry["sha256"]:
        raise CorruptArtifact(f"{path}: its content does not hash to what its manifest says")
    if time.time_ns() - max(times) > _SETTLED_NS:
        _found_whole.add(seen)


def hash_file(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
