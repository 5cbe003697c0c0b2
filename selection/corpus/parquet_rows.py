"""A Parquet file row by row, when its bytes may lie."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from selection.corpus.records import BadRecord, Record
from selection.corpus.rows import RowFault, RowRules, decoded, read_row, row_digest
from selection.corpus.streams import StreamDamaged, read_blocks

BATCH_ROWS = 1024


def read_parquet(file: BinaryIO, name: str, rules: RowRules) -> Iterator[Record | BadRecord]:
    """Read the rows of a Parquet file, only the columns asked for.

    A file without a readable footer (a truncated one) is one bad record, for nothing in it can be
    found; a row group that cannot be read is one bad record that says which rows are lost.
    """
    try:
        parquet = pq.ParquetFile(file, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        yield BadRecord(f"{name}#0", f"unreadable Parquet: {_brief(error)}", _file_digest(file))
        return
    wanted = sorted(rules.wanted() & set(parquet.schema_arrow.names))
    first = 0
    for group in range(parquet.num_row_groups):
        end = first + parquet.metadata.row_group(group).num_rows
        row = first
        batches = parquet.iter_batches(BATCH_ROWS, [group], wanted, use_threads=False)
        while True:
            try:
                batch = next(batches, None)
            except (pa.ArrowException, OSError) as error:
                reason = f"unreadable Parquet: rows {row} to {end - 1}: {_brief(error)}"
                yield BadRecord(f"{name}#{row}", reason, _file_digest(file))
                break
            if batch is None:
                break
            yield from _records(batch, row, name, rules)
            row += batch.num_rows
        first = end


def _records(
    batch: pa.RecordBatch, first: int, name: str, rules: RowRules
) -> Iterator[Record | BadRecord]:
    columns = {field: _values(batch.column(field)) for field in batch.schema.names}
    for index in range(batch.num_rows):
        raw = {field: values[index] for field, values in columns.items()}
        origin, digest = f"{name}#{first + index}", partial(row_digest, raw)
        yield from read_row(partial(_decoded, raw), rules, origin=origin, digest=digest)


class _Utf8(bytes):
    """The bytes of a text cell, not yet known to be UTF-8."""


def _values(column: pa.Array) -> list[object]:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        # Parquet does not promise that text is UTF-8, and Arrow would refuse the whole batch.
        cells = column.cast(pa.large_binary()).to_pylist()
        return [None if cell is None else _Utf8(cell) for cell in cells]
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return column.to_pylist()
    # Other types are wrong in every column that is read; some have values Python cannot hold.
    return [kind] * len(column)


def _decoded(raw: dict[str, object]) -> dict[str, object]:
    row: dict[str, object] = {}
    for column, value in raw.items():
        if isinstance(value, pa.DataType):
            raise RowFault(f"wrong type: column {column!r} is {value}")
        row[column] = decoded(value, repr(column)) if isinstance(value, _Utf8) else value
    return row


def _file_digest(file: BinaryIO) -> str:
    """Return the SHA-256 of the whole file, leaving the reading position where it was."""
    position = file.tell()
    file.seek(0)
    hasher = hashlib.sha256()
    with suppress(StreamDamaged):  # the file is reported as unreadable; this hashes what is left
        for block in read_blocks(file):
            hasher.update(block)
    file.seek(position)
    return hasher.hexdigest()


def _brief(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
