"""Which rows a file or a folder holds."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from selection.config.pool import DEFAULT_COLUMNS, ColumnNames
from selection.corpus.csv_rows import read_csv
from selection.corpus.folders import walk
from selection.corpus.json_array import split_json
from selection.corpus.json_lines import read_json_lines
from selection.corpus.limits import MAX_BYTES_PER_ROW
from selection.corpus.not_read import CannotBeRead
from selection.corpus.paragraphs import read_paragraphs
from selection.corpus.parquet_process import read_parquet_apart
from selection.corpus.records import BadRecord, Record, UnreadPart
from selection.corpus.rows import RowRules
from selection.corpus.streams import (
    PACKINGS,
    FileRefused,
    FileUnreadable,
    Line,
    StreamDamaged,
    open_regular,
    split_lines,
    unpack,
)

LineReader = Callable[[Iterator[Line], str, RowRules], Iterator[Record | BadRecord]]
"""Reads a file's lines: (lines, the file's name in origins, rules), in the order of the file."""

_LINE_READERS: Mapping[str, LineReader] = MappingProxyType(
    {
        ".jsonl": read_json_lines,
        ".ndjson": read_json_lines,
        ".json": read_json_lines,
        ".csv": read_csv,
        ".tsv": partial(read_csv, delimiter="\t"),
        ".txt": read_paragraphs,
    }
)
_PARQUET = ".parquet"


def format_of(path: Path) -> tuple[str, str] | None:
    """Return (format, packing) that a file's name says, in letters of any size; None for others."""
    name = path.name.lower()
    if name.endswith(_PARQUET):
        return _PARQUET, ""
    for packing in PACKINGS:
        plain = name.removesuffix(f".{packing}") if packing else name
        for ending in _LINE_READERS:
            if plain.endswith(ending) and (not packing or plain != name):
                return ending, packing
    return None


def known_formats() -> str:
    """Every ending that is read, for a message."""
    packed = ", ".join(f".{packing}" for packing in PACKINGS if packing)
    return f"{', '.join(_LINE_READERS)} (each also with {packed}) and {_PARQUET}"


def read_path(
    path: Path,
    *,
    columns: ColumnNames = DEFAULT_COLUMNS,
    where: Mapping[str, str] | None = None,
    max_bytes_per_row: int = MAX_BYTES_PER_ROW,
    root: Path | None = None,
) -> Iterator[Record | BadRecord]:
    """Read every row of a file, or of all files under a folder in the order of their names.

    What cannot be used becomes a `BadRecord` and reading goes on; a file that is cut short gives
    its good rows and an `UnreadPart`. Only the bytes present when a file is opened are read.
    Hidden files and folders, and notes of other programs such as `_SUCCESS`, are left out.

    Parameters
    ----------
    path : Path
        A file, or a folder that is read recursively.
    columns : ColumnNames
        The source's column names; a ``.txt`` file has none, its paragraphs are the rows.
    where : Mapping of str to str, optional
        Keep only the rows whose column, as text, equals the value.
    max_bytes_per_row : int
        Rows with more bytes go to quarantine without being held in memory.
    root : Path, optional
        The folder that no symbolic link may leave; by default the folder read, or the folder that
        holds the file.

    Returns
    -------
    Iterator of Record or BadRecord
        Origins name files relative to `path`.

    Raises
    ------
    ValueError
        The path does not exist, its format is unknown, or `where` is given for a text file.
    """
    if not os.path.lexists(path):
        raise ValueError(f"{path}: no such file or folder")
    rules = RowRules(columns, dict(where or {}), max_bytes_per_row)
    if path.is_dir():
        return _read_folder(path, (root or path).resolve(), rules)
    if format_of(path) is None:
        raise ValueError(f"{path}: unknown format; the file name must end in {known_formats()}")
    if rules.where and _is_text(path):
        raise ValueError(f"{path}: a text file has no columns, so 'where' cannot apply; remove it")
    root = (root or path.parent).resolve()
    return _read_file(path, _printable(Path(path.name)), root, rules)


def _read_folder(folder: Path, root: Path, rules: RowRules) -> Iterator[Record | BadRecord]:
    if not folder.resolve().is_relative_to(root):
        yield _refused(folder, _printable(Path(folder.name)), "symlink leaves the folder")
        return
    try:
        paths = walk(folder, markers=False)
    except (CannotBeRead, OSError) as error:
        yield _refused(folder, _printable(Path(folder.name)), f"cannot be listed: {error}")
        return
    for path in paths:
        name = _printable(path.relative_to(folder))
        if path.is_symlink() and path.is_dir():
            yield _refused(path, name, "symlink to a folder: not followed")
        elif format_of(path) is None:
            yield _refused(path, name, f"unknown format: known are {known_formats()}")
        elif rules.where and _is_text(path):
            yield _refused(path, name, "missing filter column: a text file has no columns")
        else:
            yield from _read_file(path, name, root, rules)


def _read_file(path: Path, name: str, root: Path, rules: RowRules) -> Iterator[Record | BadRecord]:
    try:
        with open_regular(path, root) as file:
            found = format_of(path)
            assert found is not None, "unknown formats are sorted out before"
            ending, packing = found
            if ending == _PARQUET:
                yield from read_parquet_apart(file, name, rules)
                return
            split = split_json if ending == ".json" else split_lines
            lines = split(unpack(file, packing), max_bytes=rules.max_bytes_per_row)
            yield from _LINE_READERS[ending](lines, name, rules)
    except FileUnreadable as error:
        yield UnreadPart(f"{name}:0", str(error), hashlib.sha256(b"").hexdigest())
    except FileRefused as refusal:
        yield _refused(path, name, str(refusal))
    except StreamDamaged as damage:
        yield UnreadPart(f"{name}:{damage.line}", str(damage), damage.raw_sha256)


def _refused(path: Path, name: str, reason: str) -> BadRecord:
    # Nothing was read, so the hash is that of the link itself, or of no bytes.
    raw = os.fsencode(path.readlink()) if path.is_symlink() else b""
    return BadRecord(f"{name}:0", reason, hashlib.sha256(raw).hexdigest())


def _is_text(path: Path) -> bool:
    found = format_of(path)
    return found is not None and found[0] == ".txt"


def _printable(path: Path) -> str:
    """Return a name that can be stored: file names need not be UTF-8."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")
