"""How a folder is written for people: whole or not at all, and over nothing that is theirs."""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from selection.basics.brevity import some_of
from selection.basics.file_names import printable_name
from selection.export.rows import CannotExport

NOTE = ".selection-export.json"
"""Says which files an export has written: these alone may be replaced by the next."""


def check_free(out: Path, store: Path, read: Iterable[tuple[Path, str]]) -> None:
    """See that a folder can be written: it is not there, empty, or an export that nobody changed.

    Parameters
    ----------
    read : files and folders of which nothing may be written within, and who reads each.

    Raises
    ------
    CannotExport
        Naming what is in the way.
    """
    shown = printable_name(str(out))
    if out.resolve().is_relative_to(store.resolve()):
        raise CannotExport(
            f"{shown} is within the store, which holds what was published; give another folder"
        )
    for path, who in read:
        if out.resolve().is_relative_to(path.resolve()):
            raise CannotExport(
                f"{shown} is within {printable_name(str(path))}, which {who} reads: what is written"
                " there would be read as well; give another folder"
            )
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise CannotExport(f"{shown} is no folder; give another name")
    if out.is_dir():
        _require_ours(out)


@contextmanager
def write_folder(out: Path) -> Iterator[Path]:
    """Give an empty folder beside it, which takes its name once everything is in it."""
    out = out.absolute()  # `.` has no name
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}.part")
    unfinished.mkdir()
    try:
        yield unfinished
        written = {name: _digest(unfinished / name) for name in _files(unfinished)}
        (unfinished / NOTE).write_text(json.dumps({"files": written}, indent=1), encoding="utf-8")
        for name in [*_files(unfinished), "."]:
            _flush(unfinished / name)
        if out.exists():
            _require_ours(out)  # again: meanwhile somebody may have written there
            before = out.with_name(f"{unfinished.name}.before")
            out.rename(before)
            unfinished.rename(out)
            shutil.rmtree(before)
        else:
            unfinished.rename(out)
        _flush(out.parent)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _require_ours(out: Path) -> None:
    theirs = _not_ours(out)
    if theirs:
        names = ", ".join(some_of([printable_name(name) for name in theirs], most=5))
        raise CannotExport(
            f"{printable_name(str(out))} holds what no export has written, or what was changed"
            f" since: {names}; give another folder, or move these away"
        )


def _not_ours(out: Path) -> list[str]:
    """Files of a folder that an export has not written, or not so."""
    try:
        written = json.loads((out / NOTE).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, LookupError, TypeError):
        written = {}
    return [
        name
        for name in _files(out)
        if name != NOTE and (name not in written or written[name] != _digest(out / name))
    ]


def _files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    )


def _digest(path: Path) -> str:
    if path.is_symlink() or not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
