"""An Arrow file row by row (a stream, as `save_to_disk` writes it, or Feather), when it may lie."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache, partial
from typing import BinaryIO

import pyarrow as pa
from pyarrow import ipc

from selection.corpus.limits import most_rows, most_unpacked
from selection.corpus.parquet_cells import Table, raw_rows
from selection.corpus.parquet_rows import (
    UNREADABLE,
    Left,
    brief,
    decoded_row,
    digest_of,
    file_digest,
    line_of,
)
from selection.corpus.records import BadRecord, Record, UnreadPart
from selection.corpus.row_rules import RowRules
from selection.corpus.rows import read_row

FEATHER = b"ARROW1"
"""What a file begins with that has a footer; a stream has none."""

END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"

SLICE_ROWS = 32
"""Rows made into Python's values at once; one by one where they do not fit into memory."""

TEXTS = (
    (pa.types.is_string, pa.binary()),
    (pa.types.is_large_string, pa.large_binary()),
    (pa.types.is_string_view, pa.binary_view()),
)


def read_arrow(file: BinaryIO, name: str, rules: RowRules) -> Iterator[Record | BadRecord]:
    """Read the rows of an Arrow file, only the columns asked for.

    From where on it cannot be read, or ends early, it is one unread part. What a batch says of its
    buffers is checked before anything looks into them; one that leads out of them is an unread
    part, and those behind it are read.
    """
    whole, size, row = cache(partial(file_digest, file)), os.fstat(file.fileno()).st_size, 0
    left = Left(most_unpacked(size))
    try:
        for batch, table in _batches(file, rules):
            if row + batch.num_rows > most_rows(size):
                reason = f"too many rows: over {most_rows(size):,} of {size:,} bytes"
                yield UnreadPart(f"{name}#{row}", reason, whole())
                return
            try:
                _require_sound(batch)
            except pa.ArrowInvalid as error:
                end = row + batch.num_rows
                reason = f"unreadable Arrow: rows {row} to {end - 1}: {brief(error)}"
                yield UnreadPart(f"{name}#{row}", reason, whole(), batch.num_rows)
                row = end
                continue
            for raw in _rows(batch):
                yield from read_row(
                    partial(decoded_row, raw, table, rules, left),
                    rules,
                    origin=f"{name}#{row}",
                    digest=partial(digest_of, raw, left),
                    columns=table.columns,
                    line=partial(line_of, raw, table),
                    table=table.schema,
                )
                row += 1
    except UNREADABLE as error:
        reason = f"unreadable Arrow: from row {row} on: {brief(error)}"
        yield UnreadPart(f"{name}#{row}", reason, whole())


def _batches(file: BinaryIO, rules: RowRules) -> Iterator[tuple[pa.RecordBatch, Table]]:
    """Batches of the columns asked for, not yet checked."""
    begins = file.read(len(FEATHER))
    file.seek(0)
    if begins == FEATHER:
        feather = ipc.open_file(file)
        table = Table.of(feather.schema, rules)
        for place in range(feather.num_record_batches):
            yield feather.get_batch(place).select([*table.read, *table.beside]), table
        return
    with ipc.open_stream(file) as stream:
        table = Table.of(stream.schema, rules)
        for batch in stream:
            yield batch.select([*table.read, *table.beside]), table
    file.seek(-len(END_OF_STREAM), os.SEEK_END)
    if file.read() != END_OF_STREAM:
        raise pa.ArrowInvalid("the file ends before its stream does")


def _rows(batch: pa.RecordBatch) -> Iterator[dict[str, object]]:
    for start in range(0, batch.num_rows, SLICE_ROWS):
        part = batch.slice(start, SLICE_ROWS)
        try:
            rows = raw_rows(part)
        except MemoryError:
            if part.num_rows == 1:
                raise
            for place in range(part.num_rows):
                yield from raw_rows(part.slice(place, 1))
        else:
            yield from rows


def _require_sound(batch: pa.RecordBatch) -> None:
    """See that no offset of a batch leads out of its buffers; texts may be no UTF-8.

    Raises
    ------
    pa.ArrowInvalid
        When one does.
    """
    for column in batch.columns:
        column.view(_in_bytes(column.type)).validate(full=True)


def _in_bytes(kind: pa.DataType) -> pa.DataType:
    """Return a type with bytes where it has texts, of the same layout."""
    if isinstance(kind, pa.BaseExtensionType):
        return _in_bytes(kind.storage_type)
    for is_text, in_bytes in TEXTS:
        if is_text(kind):
            return in_bytes
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        make = pa.list_ if pa.types.is_list(kind) else pa.large_list
        return make(_field_in_bytes(kind.value_field))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_field_in_bytes(kind.value_field), kind.list_size)
    if pa.types.is_struct(kind):
        return pa.struct([_field_in_bytes(field) for field in kind])
    return kind


def _field_in_bytes(field: pa.Field) -> pa.Field:
    return field.with_type(_in_bytes(field.type))
