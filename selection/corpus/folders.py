"""What lies in a folder, how long has it been still, and has it changed? Nothing is opened."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from selection.config.files import Resolve
from selection.corpus.not_read import CannotBeRead

MAX_DEPTH = 64
"""Folders within folders that are looked through."""

_MARKERS = ("_SUCCESS", "_metadata", "_common_metadata", "Thumbs.db", "desktop.ini")
_MARKED = (".", "_committed_", "_started_")
_PAPER = re.compile(r"(readme|licen[cs]e|copying|notice|changelog|citation)(\.[a-z]+)?", re.I)


def is_marker(name: str) -> bool:
    """Whether a name says that it holds no rows: it is hidden, or a note of another program."""
    return name.startswith(_MARKED) or name in _MARKERS


def is_paper(name: str) -> bool:
    """Whether a name says that a file is about the others, such as `README.md`."""
    return _PAPER.fullmatch(name) is not None


def walk(folder: Path, *, markers: bool = True, deep: bool = True) -> list[Path]:
    """Everything below a folder that is no folder itself, sorted; links are not followed.

    Parameters
    ----------
    markers : whether hidden files and folders, and notes of other programs, are among it.
    deep : whether what lies in its folders is; links to folders are folders then.

    Raises
    ------
    CannotBeRead
        When folders are nested more than `MAX_DEPTH` deep.
    OSError
        When a folder cannot be listed.
    """
    found: list[Path] = []
    waiting = [(str(folder), 0)]
    while waiting:
        here, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise CannotBeRead(
                f"it nests folders more than {MAX_DEPTH} deep", "move its files further up"
            )
        with os.scandir(here) as entries:
            for entry in entries:
                if not markers and is_marker(entry.name):
                    continue
                if not deep and is_folder(entry):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((entry.path, depth + 1))
                else:
                    found.append(Path(entry.path))
    return sorted(found)


def is_folder(entry: os.DirEntry[str] | Path) -> bool:
    """Whether it is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link that leads nowhere, in a circle, or where nobody may look
        return False


def fingerprint(files: Iterable[Path], start: Path) -> str:
    """Hash of the names, sizes and modification times of files; of a link, also its target's.

    Parameters
    ----------
    start : names begin here, so that a project may move.
    """
    digest = hashlib.sha256()
    for file in files:
        status = file.lstat()
        name = os.fsencode(os.path.relpath(file, start))
        digest.update(name + f" {status.st_size} {status.st_mtime_ns}\n".encode())
        if stat.S_ISLNK(status.st_mode):
            digest.update(b"-> " + os.fsencode(file.readlink()) + _behind(file))
    return digest.hexdigest()[:32]


def _behind(link: Path) -> bytes:
    try:
        status = link.stat()
    except OSError:
        return b" is missing\n"
    return f" {status.st_size} {status.st_mtime_ns}\n".encode()


def seconds_still(files: Iterable[Path], now: float) -> float:
    """For how long nothing of some files has changed; negative for a change in the future.

    A file's time of change is the later of its modification and its status change, of which the
    first may be set by whoever copies it, and the second is the file system's own. One that lies in
    the future says nothing, unless both do.

    Parameters
    ----------
    now : seconds since the epoch.
    """
    ages: list[float] = []
    for file in files:
        found = [file.lstat()]
        if stat.S_ISLNK(found[0].st_mode):
            with suppress(OSError):  # a link to nothing has only its own times
                found.append(file.stat())
        for status in found:
            stamps = (status.st_mtime, status.st_ctime)
            past = [stamp for stamp in stamps if stamp <= now]
            ages.append(now - (max(past) if past else min(stamps)))
    return min(ages)


def path_fingerprint(path: Path) -> str:
    """Hash of the names, sizes and times of a file, or of all files in a folder."""
    return fingerprint(walk(path) if path.is_dir() else [path], path.parent)


def configured_fingerprint(path: str, resolve: Resolve) -> str:
    """`path_fingerprint` of a path of a configuration; where links lead to it, also their target.

    Parameters
    ----------
    path : as it is written there.
    resolve : follows it, links and all.
    """
    real = resolve(path)
    found = path_fingerprint(real)
    if not leads_through_links(path, resolve):
        return found
    target = os.fsencode(os.path.relpath(real, resolve(".")))
    return hashlib.sha256(found.encode() + target).hexdigest()[:32]


def leads_through_links(path: str, resolve: Resolve) -> bool:
    """Whether a path of a configuration is another one once its links are followed."""
    return Path(os.path.normpath(resolve(".") / path)) != resolve(path)
