"""What lies in a drop folder, and which of it can be read now? Nothing is opened."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from selection.basics.file_names import printable_name
from selection.corpus.folders import fingerprint, is_folder, is_marker, seconds_still, walk
from selection.corpus.not_read import CannotBeRead, NotRead
from selection.corpus.readers import format_of, known_formats


def list_folder(folder: Path, *, only: bytes | None = None) -> Iterator[Path | NotRead]:
    """Every file and sub-folder that is a source by its name, and the others with the reason.

    Parameters
    ----------
    only : what a name must be, or begin with before a dot; None for all.

    Raises
    ------
    OSError
        When the folder cannot be listed.
    """
    with os.scandir(folder) as found:
        entries = sorted(
            (entry for entry in found if _may_be(entry.name, only)),
            key=lambda entry: os.fsencode(entry.name),
        )
    markers = sum(is_marker(entry.name) for entry in entries)
    if markers:
        yield NotRead(
            "hidden files and markers", f"{markers:,} files, left out by their names", "", "ignored"
        )
    for entry in entries:
        if is_marker(entry.name):
            continue
        path = Path(entry.path)
        if format_of(path) is None and not is_folder(entry):
            yield NotRead(
                printable_name(entry.name),
                "its ending is of no format that is read",
                f"rename or convert it; read are {known_formats()}",
                "ignored",
            )
        else:
            yield path


def _may_be(name: str, only: bytes | None) -> bool:
    return only is None or os.fsencode(name).partition(b".")[0] == only.partition(b".")[0]


def stem(path: Path) -> str:
    """Name of the source that a file or a sub-folder is: a file's ends at its first dot."""
    return path.name if path.is_dir() else path.name.split(".")[0]


def look_at(
    path: Path,
    *,
    folder: Path | None = None,
    start: Path | None = None,
    settle_seconds: float = 0,
    deep: bool = True,
) -> str:
    """Fingerprint of a file, or of all files of a folder, if it can be read now.

    Parameters
    ----------
    folder : the drop folder that holds it, which no link may leave; None for a path that a person
        has named.
    start : names in the fingerprint begin here; by default where the path lies.
    settle_seconds : for so long nothing of it must have changed.
    deep : whether a folder's own folders belong to it.

    Raises
    ------
    CannotBeRead
        When it cannot, with what to do.
    """
    try:
        files = _files(path, folder, deep)
        if settle_seconds:
            _require_still(files, settle_seconds)
        return fingerprint(files, start or path.parent)
    except FileNotFoundError as error:
        raise CannotBeRead("it has just vanished", "bring it back if it is wanted") from error
    except OSError as error:
        raise CannotBeRead(
            f"it cannot be looked at: {error.strerror}", "make it readable, or take it away"
        ) from error


def _files(path: Path, folder: Path | None, deep: bool) -> list[Path]:
    """The files that a source consists of, a link to it included."""
    links = [path] if path.is_symlink() else []
    if links and folder is not None:
        _require_inside(path, folder)
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        files = walk(path, markers=False, deep=deep)
        if not any(format_of(file) for file in files):
            raise CannotBeRead(
                "it is a folder without a file that is read", f"read are {known_formats()}"
            )
        return [*links, *files]
    if not stat.S_ISREG(mode):
        raise CannotBeRead("it is no regular file (a pipe, socket or device)", "take it away")
    if path.stat().st_size == 0:
        raise CannotBeRead("it is empty", "fill it, or take it away")
    if not os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
        raise CannotBeRead("this user may not read it", "change its permissions")
    return [path]


def _require_inside(link: Path, folder: Path) -> None:
    """See that a link leads to something else in its own folder."""
    root = Path(os.path.realpath(folder))
    try:
        target = Path(os.path.realpath(link, strict=True))
    except FileNotFoundError as error:
        raise CannotBeRead("it is a link to nothing", "mend the link, or remove it") from error
    except OSError as error:
        raise CannotBeRead(f"it is a link: {error.strerror}", "remove it") from error
    if root not in target.parents:
        raise CannotBeRead(
            "it is a link that leaves the folder", "put the file itself there, or name its path"
        )


def _require_still(files: list[Path], settle_seconds: float) -> None:
    age = seconds_still(files, time.time())
    if age < -settle_seconds:
        until = datetime.fromtimestamp(time.time() - age, UTC).isoformat(" ", "seconds")
        raise CannotBeRead(f"its time lies in the future ({until})", "set the clock, or `touch` it")
    if age < settle_seconds:
        raise CannotBeRead(
            f"still being written: it changed in the last {settle_seconds:g} s",
            "it is looked at again later",
            "waiting",
        )
