"""Which rows a file or a folder holds."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from selection.basics.file_names import escaped_name
from selection.basics.text import printable
from selection.config.pool import DEFAULT_COLUMNS, ColumnNames
from selection.corpus.csv_rows import read_csv
from selection.corpus.folders import is_folder, is_paper, walk
from selection.corpus.json_array import split_json
from selection.corpus.json_blocks import read_json_blocks
from selection.corpus.json_lines import read_json_lines
from selection.corpus.limits import MAX_BYTES_PER_ROW
from selection.corpus.lines import Line, split_lines
from selection.corpus.not_read import CannotBeRead
from selection.corpus.paragraphs import read_paragraphs
from selection.corpus.parquet_process import read_arrow_apart, read_parquet_apart
from selection.corpus.records import BadRecord, Record, UnreadPart
from selection.corpus.row_block import RowBlock
from selection.corpus.row_rules import RowRules
from selection.corpus.saved_sets import SavedSets
from selection.corpus.streams import (
    PACKINGS,
    FileRefused,
    StreamDamaged,
    open_regular,
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
_JSON_LINES = (".jsonl", ".ndjson")
_PARQUET, _ARROW = ".parquet", ".arrow"
_APART = MappingProxyType({_PARQUET: read_parquet_apart, _ARROW: read_arrow_apart})
"""What is decoded in a process of its own."""


def format_of(path: Path) -> tuple[str, str] | None:
    """Return (format, packing) that a file's name says, in letters of any size; None for others."""
    name = path.name.lower()
    for ending in _APART:
        if name.endswith(ending):
            return ending, ""
    for packing in PACKINGS:
        plain = name.removesuffix(f".{packing}") if packing else name
        for ending in _LINE_READERS:
            if plain.endswith(ending) and (not packing or plain != name):
                return ending, packing
    return None


def known_formats() -> str:
    """Every ending that is read, for a message."""
    packed = ", ".join(f".{packing}" for packing in PACKINGS if packing)
    return f"{', '.join(_LINE_READERS)} (each also with {packed}), {_PARQUET} and {_ARROW}"


def read_path(
    path: Path,
    *,
    columns: ColumnNames = DEFAULT_COLUMNS,
    where: Mapping[str, str] | None = None,
    split: str | None = None,
    rows_per_file: int | None = None,
    may_be_absent: frozenset[str] = frozenset(),
    max_bytes_per_row: int = MAX_BYTES_PER_ROW,
    root: Path | None = None,
    originals: bool = False,
    together: bool = False,
    deep: bool = True,
) -> Iterator[Record | BadRecord | RowBlock]:
    """Read every row of a file, or of all files under a folder in the order of their names.

    A row that cannot be used becomes a `BadRecord` and reading goes on; a file that is cut short
    gives its good rows and an `UnreadPart`. So is a file that is refused, empty or of another
    format: in a folder, these come before the rows. Only the bytes present when a file is opened
    are read. Hidden files and folders, notes of other programs such as `_SUCCESS`, and papers such
    as `README.md` are left out. What `datasets` has saved to disk is read as it says itself, see
    `selection.corpus.saved_sets`.

    Parameters
    ----------
    path : Path
        A file, or a folder.
    columns : ColumnNames
        The source's column names; a ``.txt`` file has none, its paragraphs are the rows.
    where : Mapping of str to str, optional
        Keep only the rows whose column, as text, equals the value.
    split : str, optional
        Of a saved `DatasetDict`; ``train``, or the only one, by default.
    rows_per_file : int, optional
        Read no more than so many of each file, good or bad: enough to see what it holds.
    may_be_absent : frozenset of str
        Fields about a row, such as "label", whose column a table need not have.
    max_bytes_per_row : int
        Rows with more bytes go to quarantine without being held in memory.
    root : Path, optional
        The folder that no symbolic link may leave; by default the folder read, or the folder that
        holds the file.
    originals : bool
        Whether records have the row as it came, where it is no bare text.
    together : bool
        Whether rows of plain text, of which nothing is to be said, may come many at a time; not
        with `rows_per_file`.
    deep : bool
        Whether a folder is read recursively.

    Returns
    -------
    Iterator of Record, BadRecord or RowBlock
        Origins name files relative to `path`.

    Raises
    ------
    ValueError
        The path does not exist, its format is unknown, or `where` is given for a text file, or
        `split` for anything but a folder.
    """
    if not os.path.lexists(path):
        raise ValueError(f"{path}: no such file or folder")
    rules = RowRules(
        columns, dict(where or {}), max_bytes_per_row, may_be_absent, originals, together
    )
    if path.is_dir():
        return _read_folder(path, (root or path).resolve(), rules, split, rows_per_file, deep)
    if split is not None:
        raise ValueError(f"{path}: no folder that `datasets` saved, so it has no split {split!r}")
    if format_of(path) is None:
        raise ValueError(f"{path}: unknown format; the file name must end in {known_formats()}")
    if rules.where and _is_text(path):
        raise ValueError(f"{path}: a text file has no columns, so 'where' cannot apply; remove it")
    root = (root or path.parent).resolve()
    return _beginning(path, _name(Path(path.name)), root, rules, rows_per_file)


def _read_folder(
    folder: Path,
    root: Path,
    rules: RowRules,
    split: str | None,
    rows_per_file: int | None,
    deep: bool,
) -> Iterator[Record | BadRecord | RowBlock]:
    name = _name(Path(folder.name))
    if not folder.resolve().is_relative_to(root):
        yield _refused(folder, name, "symlink leaves the folder")
        return
    try:
        paths = walk(folder, markers=False, deep=deep)
    except (CannotBeRead, OSError) as error:
        yield _refused(folder, name, printable(f"cannot be listed: {error}"))
        return
    saved = SavedSets.find(paths, root, split)
    for path, reason in saved.faults.items():
        yield _refused(path, _name(path.relative_to(folder)), printable(reason))
    if split is not None and not saved.has_splits:
        yield _refused(folder, name, "no split: `datasets` has saved no data set with splits there")
        return
    left_out = saved.passed_over | saved.faults.keys()
    paths = [path for path in paths if path not in left_out]
    names = {path: _name(path.relative_to(folder)) for path in paths if not _is_paper(path)}
    refused = {path: _refusal(path, root, rules) for path in names}
    for path, reason in refused.items():
        if reason is not None:
            yield _refused(path, names[path], reason)
    for path, reason in refused.items():
        if reason is None:
            yield from _beginning(path, names[path], root, rules, rows_per_file)


def _is_paper(path: Path) -> bool:
    return is_paper(path.name) and format_of(path) is None


def _refusal(path: Path, root: Path, rules: RowRules) -> str | None:
    """Why a file of a folder is not read at all; None for one that is."""
    if path.is_symlink() and is_folder(path):
        return "symlink to a folder: not followed"
    if format_of(path) is None:
        return f"unknown format: known are {known_formats()}"
    if rules.where and _is_text(path):
        return "no filter column: a text file has no columns"
    try:
        with open_regular(path, root):
            return None
    except FileRefused as refusal:
        return str(refusal)


def _beginning(
    path: Path, name: str, root: Path, rules: RowRules, rows: int | None
) -> Iterator[Record | BadRecord | RowBlock]:
    """Read a file, or its first rows."""
    with closing(_read_file(path, name, root, rules)) as found:
        yield from islice(found, rows)


def _read_file(
    path: Path, name: str, root: Path, rules: RowRules
) -> Generator[Record | BadRecord | RowBlock, None, None]:
    try:
        with open_regular(path, root) as file:
            found = format_of(path)
            assert found is not None, "unknown formats are sorted out before"
            ending, packing = found
            if ending in _APART:
                yield from _APART[ending](file, name, rules)
                return
            blocks = unpack(file, packing)
            if rules.together and ending in _JSON_LINES:
                yield from read_json_blocks(blocks, name, rules)
                return
            split = split_json if ending == ".json" else split_lines
            lines = split(blocks, max_bytes=rules.max_bytes_per_row)
            yield from _LINE_READERS[ending](lines, name, rules)
    except FileRefused as refusal:
        yield _refused(path, name, str(refusal))
    except StreamDamaged as damage:
        yield UnreadPart(f"{name}:{damage.line}", printable(str(damage)), damage.raw_sha256)


def _refused(path: Path, name: str, reason: str) -> UnreadPart:
    # Nothing was read, so the hash is that of the link itself, or of no bytes.
    raw = os.fsencode(path.readlink()) if path.is_symlink() else b""
    return UnreadPart(f"{name}:0", reason, hashlib.sha256(raw).hexdigest())


def _is_text(path: Path) -> bool:
    found = format_of(path)
    return found is not None and found[0] == ".txt"


def _name(path: Path) -> str:
    """Return a name that can be stored and printed: file names need not be UTF-8."""
    return escaped_name(path.as_posix())
