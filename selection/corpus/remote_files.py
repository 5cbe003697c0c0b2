"""Rows of files that lie in a bucket, on the hub, or behind another address of fsspec.

A file is fetched, read as one of this machine is, and removed before the next is fetched: no more
than the largest of them is on this disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from selection.basics.brevity import cut
from selection.basics.text import printable
from selection.config.addresses import BUCKETS
from selection.config.pool import DEFAULT_COLUMNS, ColumnNames
from selection.corpus.not_read import CannotBeRead
from selection.corpus.readers import format_of, known_formats, read_path
from selection.corpus.records import BadRecord, Record, UnreadPart
from selection.corpus.row_block import RowBlock

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

PATIENCE = timedelta(seconds=60)
"""For so long a request is tried again that a server answered with an error, or not at all."""

_MAGIC = frozenset("*[")
_CHANGES = ("ETag", "e_tag", "etag", "md5", "checksum", "blob_id", "version")
_TIMES = ("LastModified", "last_modified", "mtime", "created")


@dataclass(frozen=True)
class RemoteFile:
    """One file behind an address.

    Attributes
    ----------
    path : as its file system names it.
    name : below the folder that the address names, as in the origins of its rows.
    state : changes when its content does.
    """

    path: str
    name: str
    state: str


def list_files(address: str) -> list[RemoteFile]:
    """List what an address names: a file, all files of a folder, or those that a pattern fits.

    Raises
    ------
    CannotBeRead
        When there is none; `waiting` when nobody answers.
    """
    with _asked(address):
        scheme, _, path = address.partition("://")
        files = _filesystem(scheme)
        if scheme not in BUCKETS:
            path = str(files._strip_protocol(address))  # the only way that fsspec has
        if _MAGIC & set(path):
            found: Any = files.glob(path, detail=True)
        elif files.isfile(path):
            found = {path: files.info(path)}
        else:
            found = files.find(path, detail=True)
    plain = {name: one for name, one in found.items() if one.get("type", "file") == "file"}
    if not plain:
        raise CannotBeRead(f"{address}: there is no file", "correct `address`, or bring the data")
    folder = _folder_of(path, list(plain))
    return [
        RemoteFile(name, name.removeprefix(folder).lstrip("/"), _state_of(one))
        for name, one in sorted(plain.items())
    ]


def fingerprint_of(address: str) -> str:
    """Hash of the names and states of the files behind an address."""
    lines = "".join(f"{file.name} {file.state}\n" for file in list_files(address))
    return hashlib.sha256(lines.encode(errors="surrogateescape")).hexdigest()[:32]


def read_remote(
    address: str, *, columns: ColumnNames = DEFAULT_COLUMNS
) -> Iterator[Record | BadRecord | RowBlock]:
    """Read every row of the files behind an address, in the order of their names.

    As in a folder, a file of an unknown format is an `UnreadPart`.

    Raises
    ------
    CannotBeRead
        As `list_files` does, and when a file cannot be fetched.
    """
    for file in list_files(address):
        parts = PurePosixPath(file.name).parts
        if format_of(Path(file.name)) is None:
            yield _unread(file, f"unknown format: known are {known_formats()}")
        elif not parts or {"..", "/"} & set(parts) or "\0" in file.name:
            yield _unread(file, "its name leads out of its folder")
        else:
            with TemporaryDirectory(prefix="selection-") as folder:
                target = Path(folder, *parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                _fetch(address, file, target)
                yield from read_path(Path(folder), columns=columns, originals=True, together=True)


def _fetch(address: str, file: RemoteFile, target: Path) -> None:
    files: Any = _filesystem(address.partition("://")[0])
    with _asked(address), files.open(file.path, "rb") as source, target.open("wb") as copy:
        while piece := source.read(2**20):
            copy.write(piece)


def _unread(file: RemoteFile, reason: str) -> UnreadPart:
    return UnreadPart(f"{printable(file.name)}:0", reason, hashlib.sha256(b"").hexdigest())


def _folder_of(path: str, names: list[str]) -> str:
    """The folder that names are told from: the one named, or that before the first pattern."""
    if _MAGIC & set(path):
        plain = path[: min(path.index(one) for one in _MAGIC if one in path)]
        return plain.rpartition("/")[0]
    return path.rpartition("/")[0] if names == [path] else path


def _state_of(found: dict[str, Any]) -> str:
    said = [found[name] for name in _CHANGES if found.get(name)] or [
        found[name] for name in _TIMES if found.get(name)
    ]
    return " ".join(str(one) for one in [found.get("size"), *said])


def _filesystem(scheme: str) -> AbstractFileSystem:
    if scheme in BUCKETS:  # by obstore, which reads from the environment who may
        if find_spec("obstore") is None:
            raise CannotBeRead(
                f"{scheme}:// is read with obstore, which is not installed",
                "`pip install 'selection-assets[s3]'`",
            )
        from obstore.fsspec import FsspecStore

        options: Any = {"retry_config": {"retry_timeout": PATIENCE}, "skip_instance_cache": True}
        return FsspecStore(scheme, **options)
    from fsspec import filesystem

    return filesystem(scheme, skip_instance_cache=True)


@contextmanager
def _asked(address: str) -> Iterator[None]:
    """Say of an error of whatever library it is what was asked for."""
    try:
        yield
    except (CannotBeRead, KeyboardInterrupt):
        raise
    except FileNotFoundError as error:
        raise CannotBeRead(
            f"{address}: there is no such file", "correct `address`, or bring the data"
        ) from error
    except Exception as error:  # each file system has errors of its own
        said = cut(printable(str(error).splitlines()[0] if str(error) else type(error).__name__))
        raise CannotBeRead(
            f"{address}: it cannot be read now: {said}",
            "see that the address is there, and that the environment says who may read it",
            "waiting",
        ) from error
