"""Which sources does a pool have, how is each read, and has it changed?"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import assert_never

from selection.config.files import Resolve
from selection.config.names import PARTITION_PATTERN
from selection.config.pool import (
    ColumnNames,
    DocstringSources,
    DropFolder,
    FileSources,
    HubSource,
    Pool,
    SourceSpec,
)
from selection.corpus.docstrings import package_files, read_docstrings
from selection.corpus.hub import read_hub
from selection.corpus.limits import MAX_BYTES_PER_ROW
from selection.corpus.parquet_process import read_parquet_apart
from selection.corpus.readers import FORMATS, read_path
from selection.corpus.records import BadRecord, Record
from selection.corpus.rows import RowRules


@dataclass(frozen=True)
class Source:
    """One source of a pool, nothing of it read yet.

    Attributes
    ----------
    name : also its partition key.
    read : starts reading it.
    fingerprint : looks at sizes and times of its files (or at its pinned revision); changes when
        they change. Cheap enough for a sensor: no content is read.
    """

    name: str
    read: Callable[[], Iterator[Record | BadRecord]]
    fingerprint: Callable[[], str]


def list_sources(pool: Pool, resolve: Resolve) -> dict[str, Source]:
    """All sources of a pool by name.

    Parameters
    ----------
    resolve : turns a path of the configuration into an absolute one.

    Raises
    ------
    ValueError
        When two sources have one name, a name cannot be a partition key, or a path is missing.
    """
    found: dict[str, Source] = {}
    for spec in pool.sources:
        for source in _expand(spec, resolve):
            if not re.fullmatch(PARTITION_PATTERN, source.name):
                raise ValueError(
                    f"pool {pool.name}: source name {source.name!r} cannot be a partition;"
                    " rename it to letters, digits, `.`, `_` and `-`"
                )
            if source.name in found:
                raise ValueError(f"pool {pool.name}: two sources are named {source.name!r}")
            found[source.name] = source
    return found


def _expand(spec: SourceSpec, resolve: Resolve) -> Iterator[Source]:
    match spec:
        case DocstringSources():
            for package in spec.packages:
                read = partial(
                    read_docstrings, package, min_words=spec.min_words, max_words=spec.max_words
                )
                yield Source(package, read, partial(package_fingerprint, package))
        case HubSource():
            read = partial(
                read_hub,
                spec.dataset,
                revision=spec.revision,
                split=spec.split,
                config=spec.config,
                columns=spec.columns,
            )
            yield Source(spec.name, read, partial(str, spec.revision))
        case DropFolder():
            yield from _dropped(resolve(spec.path), spec.columns)
        case FileSources():
            yield from _files(spec, resolve(spec.path))
        case _:
            assert_never(spec)


def _dropped(folder: Path, columns: ColumnNames) -> Iterator[Source]:
    """Every file or sub-folder is a source named after it; hidden ones are still being written."""
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        known = path.is_dir() or path.name.endswith(FORMATS)
        if known and not path.name.startswith("."):
            name = path.name if path.is_dir() else path.name.split(".")[0]
            read = partial(read_path, path, columns=columns, root=folder)
            # A link to a folder elsewhere is refused when read; it may lead to a whole disk.
            elsewhere = path.is_dir() and not path.resolve().is_relative_to(folder.resolve())
            of_link = partial(_fingerprint, [path], folder)
            look = of_link if elsewhere else partial(path_fingerprint, path)
            yield Source(name, read, look)


def _files(spec: FileSources, path: Path) -> Iterator[Source]:
    if not path.exists():
        raise ValueError(f"{path}: no such file or folder; correct `path` or bring the data")
    columns = spec.columns
    fingerprint = partial(path_fingerprint, path)
    if spec.name is not None:
        yield Source(spec.name, partial(read_path, path, columns=columns), fingerprint)
        return
    assert spec.split_by is not None
    for value in _values(path, spec.split_by):
        where = {spec.split_by: value}
        yield Source(value, partial(read_path, path, columns=columns, where=where), fingerprint)


def _values(path: Path, column: str) -> list[str]:
    """Distinct values of one column of a Parquet file or folder, without reading the others."""
    rules = RowRules(ColumnNames(text=column), {}, MAX_BYTES_PER_ROW)
    values: set[str] = set()
    files = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
    for file in files:
        with file.open("rb") as opened:
            found = list(read_parquet_apart(opened, file.name, rules, distinct=True))
        good = {record.text for record in found if isinstance(record, Record)}
        bad = [record for record in found if isinstance(record, BadRecord)]
        # A value that only an unread part has names no source, but every other source of the file
        # has that part too, and fails.
        if bad and not good:
            raise ValueError(f"{file}: {bad[0].reason}")
        values |= good
    return sorted(values)


def path_fingerprint(path: Path) -> str:
    """Hash of the names, sizes and modification times of a file or of all files in a folder."""
    files = [path] if not path.is_dir() else sorted(p for p in path.rglob("*") if not p.is_dir())
    return _fingerprint(files, path.parent)


def package_fingerprint(package: str) -> str:
    """Hash of the names, sizes and modification times of an installed package's modules."""
    files = package_files(package)
    return _fingerprint(files, files[0].parent)


def _fingerprint(files: Iterable[Path], root: Path) -> str:
    """Files are named from `root` on, so that a project may move."""
    digest = hashlib.sha256()
    for file in files:
        status = file.lstat()
        name = os.path.relpath(file, root)
        digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]
