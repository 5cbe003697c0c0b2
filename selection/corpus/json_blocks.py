"""JSON lines of plain texts, many at a time: where nothing is wrong, nobody needs to look at each.

Arrow's reader takes a tenth of the time of Python's, but it says little of what is wrong, and not
all that we refuse is wrong to it. So it reads only pieces of a file of which it is certain that
`read_json_lines` would read the same; all others are that one's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.json as pa_json

from selection.basics.text import text_fault
from selection.chats.formats import TEXT
from selection.corpus.json_lines import read_json_lines
from selection.corpus.licences import licence_name
from selection.corpus.lines import split_lines
from selection.corpus.originals import write_columns
from selection.corpus.records import BadRecord, Record, told_columns
from selection.corpus.row_block import RowBlock
from selection.corpus.row_rules import RowRules
from selection.corpus.streams import StreamDamaged

PIECE = 2**18
"""Bytes that are read together: if one row is odd, so many are read one by one."""

_LONG_NUMBER = re.compile(rb"[0-9]{300}")


def read_json_blocks(
    blocks: Iterator[bytes], name: str, rules: RowRules
) -> Iterator[Record | BadRecord | RowBlock]:
    r"""Read what `read_json_lines` reads of the same bytes, rows of plain text together.

    Lines that end in ``\r`` and lines too long to be kept are left to that one, with all behind.
    """
    columns = _Columns.wanted(rules)
    number, pending = 1, b""

    def one_by_one(some: Iterator[bytes]) -> Iterator[Record | BadRecord]:
        lines = split_lines(some, max_bytes=rules.max_bytes_per_row, first=number)
        return read_json_lines(lines, name, rules)

    while True:
        try:
            block = next(blocks, b"")
        except StreamDamaged as damage:
            rest = _then_damaged(pending, damage)
            break
        if not block or columns is None or b"\r" in block or len(pending) > rules.max_bytes_per_row:
            rest = chain([pending + block], blocks)
            break
        whole, ending, pending = (pending + block).rpartition(b"\n")
        for piece in _pieces(whole + ending):
            found = _read_together(piece, number, name, rules, columns)
            if found is None:
                yield from one_by_one(iter([piece]))
            else:
                yield found
            number += piece.count(b"\n")
    yield from one_by_one(rest)


def _then_damaged(pending: bytes, damage: StreamDamaged) -> Iterator[bytes]:
    yield pending
    raise damage


def _pieces(whole: bytes) -> Iterator[bytes]:
    """Cut whole lines into pieces of whole lines."""
    start = 0
    while start < len(whole):
        end = whole.find(b"\n", min(start + PIECE, len(whole) - 1)) + 1
        yield whole[start:end]
        start = end


class _Columns:
    """Which columns of a plain text are looked at.

    Attributes
    ----------
    text : the column of the text.
    about : field -> column.
    licences : columns that may say a licence.
    others : columns that say that a row is, or may be, of another format.
    """

    def __init__(self, rules: RowRules) -> None:
        self.text = rules.columns.column_of("text")
        self.about: Mapping[str, str] = rules.about
        self.licences: Sequence[str] = rules.licence_columns
        self.others = set(rules.content.values()) - {self.text}
        strings = {self.text, *self.about.values(), *self.licences}
        self.schema = pa.schema([(name, pa.large_string()) for name in sorted(strings)])

    @classmethod
    def wanted(cls, rules: RowRules) -> _Columns | None:
        """Return them; None where each row has to be looked at."""
        if rules.where or TEXT not in rules.formats or not rules.originals:
            return None
        return cls(rules)


def _read_together(
    piece: bytes, number: int, name: str, rules: RowRules, columns: _Columns
) -> RowBlock | None:
    """Read a piece of whole lines; None where anything about it is not plain."""
    n = piece.count(b"\n")
    # Each line begins an object: none is blank, and what has another line break is no line.
    if not piece.startswith(b"{") or piece.count(b"\n{") != n - 1 or b"\0" in piece:
        return None
    table = _parsed(piece, columns)
    if table is None or table.num_rows != n:
        return None
    first = json.loads(piece[: piece.index(b"\n")])
    if columns.others & set(table.column_names) or not _is_flat(table, piece):
        return None
    ends = np.flatnonzero(np.frombuffer(piece, dtype=np.uint8) == ord("\n"))
    if np.diff(ends, prepend=-1).max() - 1 > rules.max_bytes_per_row:
        return None
    texts = table[columns.text].to_pylist()
    if any(text is None or text_fault(text) is not None for text in texts):
        return None
    about: dict[str, Sequence[str | None] | None] = {}
    for field in ("licence", "label", "split"):
        column = columns.about.get(field)
        about[field] = None if column is None else table[column].to_pylist()
        if any(map(_is_odd, set(about[field] or ()))):
            return None
    if columns.licences:
        about["licence"] = _licences(table, columns.licences)
    return RowBlock(
        name,
        number,
        texts,
        **about,
        lines=_lines(piece, ends),
        columns=told_columns(tuple(dict.fromkeys([*first, *_there(table)]))),
        renamed=write_columns(rules.content),
    )


def _parsed(piece: bytes, columns: _Columns) -> pa.Table | None:
    """Read a piece as a table; None where Arrow refuses it, or would not know that it should."""
    try:
        piece.decode("utf-8")
        return pa_json.read_json(
            pa.BufferReader(piece),
            pa_json.ReadOptions(use_threads=False, block_size=len(piece) + 1),
            pa_json.ParseOptions(explicit_schema=columns.schema, newlines_in_values=False),
        )
    except (UnicodeDecodeError, pa.ArrowException):
        return None


def _is_flat(table: pa.Table, piece: bytes) -> bool:
    """Whether nothing is nested, and no number is one that Python refuses."""
    kinds = [field.type for field in table.schema]
    if any(map(pa.types.is_nested, kinds)):
        return False
    return not any(map(pa.types.is_floating, kinds)) or _LONG_NUMBER.search(piece) is None


def _is_odd(said: str | None) -> bool:
    return bool(said) and text_fault(said) not in (None, "empty text")


def _licences(table: pa.Table, columns: Sequence[str]) -> Sequence[str | None] | None:
    """Each row's licence, from the first of some columns that names one."""
    found: list[Sequence[str | None]] = []
    for column in columns:
        said = table[column]
        if said.null_count < len(said):
            names = {one: licence_name(one) for one in said.unique().to_pylist()}
            found.append([names[one] for one in said.to_pylist()])
    if not found:
        return None
    return [next((name for name in names if name), None) for names in zip(*found, strict=True)]


def _there(table: pa.Table) -> list[str]:
    return [name for name in table.column_names if table[name].null_count < table.num_rows]


def _lines(piece: bytes, ends: np.ndarray) -> pa.LargeStringArray:
    """Lines without their endings."""
    offsets = np.concatenate([[0], ends - np.arange(len(ends))]).astype(np.int64)
    content = pa.py_buffer(piece.replace(b"\n", b""))
    return pa.LargeStringArray.from_buffers(len(ends), pa.py_buffer(offsets), content)
