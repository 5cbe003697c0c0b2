"""A Parquet file row by row, when its bytes may lie."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from selection.basics.file_names import printable_name
from selection.basics.text import printable
from selection.corpus.kept_columns import row_line
from selection.corpus.limits import most_rows, most_unpacked
from selection.corpus.naming import MAX_BYTES
from selection.corpus.parquet_cells import NotUtf8, OutOfRange, Table, Utf8, raw_rows
from selection.corpus.records import BadRecord, Record, UnreadPart
from selection.corpus.row_rules import RowRules
from selection.corpus.rows import RowFault, decoded, read_row, row_digest
from selection.corpus.streams import BLOCK, StreamDamaged, read_blocks

BATCH_ROWS = (1024, 32, 1)
"""Rows decoded at once: fewer from where on more do not fit into memory."""

PER_VALUE = 16
"""Bytes that a value within a list counts beside its text: Python spends several times that."""

UNREADABLE = (pa.ArrowException, OSError, MemoryError, OverflowError)


def read_parquet(file: BinaryIO, name: str, rules: RowRules) -> Iterator[Record | BadRecord]:
    """Read the rows of a Parquet file, only the columns asked for.

    A file without a readable footer (a truncated one) is one unread part, for nothing in it can be
    found; so are the rows of a row group from where on they cannot be read, and those that the
    footer counts and no group has. What asks for more memory than the process may have cannot be
    read either: `selection.corpus.parquet_process` gives it a limit.
    """
    whole = cache(partial(file_digest, file))  # however many parts of it cannot be read
    try:
        parquet = _open(file)
        table = Table.of(parquet.schema_arrow, rules)
    except UNREADABLE as error:
        reason = f"unreadable Parquet: {brief(error)}"
        yield UnreadPart(f"{name}#0", reason, whole())
        return
    size = os.fstat(file.fileno()).st_size
    left = Left(most_unpacked(size))
    total, row = parquet.metadata.num_rows, 0
    for group in range(parquet.num_row_groups):
        end = row + parquet.metadata.row_group(group).num_rows
        fault = "its row group has fewer"
        try:
            for rows in _batches(parquet, group, [*table.read, *table.beside]):
                if row + len(rows) > most_rows(size):
                    reason = (
                        f"too many rows: {total:,} of {size:,} bytes, limit {most_rows(size):,}"
                    )
                    yield UnreadPart(f"{name}#{row}", reason, whole(), total - row)
                    return
                for raw in rows:
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
            fault = brief(error)
        if row < end:
            yield _rows_lost(name, row, end, fault, whole())
            row = end
    if row < total:
        yield _rows_lost(name, row, total, "no row group has them", whole())


def read_distinct(file: BinaryIO, name: str, rules: RowRules) -> Iterator[Record | BadRecord]:
    """Read the distinct values of the text column, as text, each as one record; nulls are none.

    What cannot be read is an unread part, as in `read_parquet`. An absent or unusable column is a
    bad record, and so is a value that no source can have as its name: of its first row.
    """
    column, whole = rules.columns.column_of("text"), cache(partial(file_digest, file))
    try:
        parquet = _open(file)
        table = Table.of(parquet.schema_arrow, rules)
    except UNREADABLE as error:
        yield UnreadPart(f"{name}#0", f"unreadable Parquet: {brief(error)}", whole())
        return
    if not table.read:
        there = ", ".join(printable_name(each[:40]) for each in table.names)
        fault = table.faults.get(column, f"no column {column!r}; it has {there or 'none'}")
        yield BadRecord(f"{name}#0", str(RowFault(fault)), whole())
        return
    size = os.fstat(file.fileno()).st_size
    left, row, total = most_unpacked(size), 0, parquet.metadata.num_rows
    seen: set[object] = set()
    for group in range(parquet.num_row_groups):
        end = row + parquet.metadata.row_group(group).num_rows
        fault = "its row group has fewer"
        try:
            for rows in _batches(parquet, group, [column]):
                if left < 0 or row + len(rows) > most_rows(size):
                    fault = "unpacks too far" if left < 0 else "too many rows"
                    reason = f"{fault}: {total:,} rows of {size:,} bytes, from row {row} on"
                    yield UnreadPart(f"{name}#{row}", reason, whole(), total - row)
                    return
                for raw in rows:
                    value = key = raw[column]
                    if isinstance(value, Utf8) and len(value) > MAX_BYTES:
                        # Only these can be large; of one the set keeps no more than a name.
                        left -= len(value)
                        key = value[:MAX_BYTES], len(value)
                    if value is not None and key not in seen:
                        seen.add(key)
                        yield _name_of_source(value, column, f"{name}#{row}")
                    row += 1
        except UNREADABLE as error:
            fault = brief(error)
        if row < end:
            yield _rows_lost(name, row, end, fault, whole())
            row = end


def _rows_lost(name: str, row: int, end: int, fault: str, digest: str) -> UnreadPart:
    """What is said of rows that cannot be read, `end` not among them."""
    reason = f"unreadable Parquet: rows {row} to {end - 1}: {fault}"
    return UnreadPart(f"{name}#{row}", reason, digest, end - row)


def _name_of_source(value: object, column: str, origin: str) -> Record | BadRecord:
    raw = value if isinstance(value, Utf8) else str(value).encode()
    try:
        if len(raw) > MAX_BYTES:
            start = printable_name(raw[:MAX_BYTES].decode(errors="replace"))
            raise RowFault(
                f"value too long: column {column!r} has one of {len(raw):,} bytes, and a source's"
                f" name has at most {MAX_BYTES}: {start}..."
            )
        return Record(decoded(raw, repr(column)), origin)
    except RowFault as fault:
        return BadRecord(origin, str(fault), hashlib.sha256(raw).hexdigest())


def _open(file: BinaryIO) -> pq.ParquetFile:
    return pq.ParquetFile(
        file, pre_buffer=False, buffer_size=BLOCK, page_checksum_verification=True
    )


@dataclass
class Left:
    """Bytes that a file may still unpack to."""

    bytes: int

    def spend(self, size: int) -> None:
        """Take a row of so many bytes, or raise `RowFault`."""
        # A row never takes more than half, so that a few huge ones leave the others their place.
        if size > self.bytes // 2:
            raise RowFault(
                f"unpacks too far: {size:,} bytes of text, the file has {self.bytes // 2:,} left"
            )
        self.bytes -= size


def _batches(
    parquet: pq.ParquetFile, group: int, columns: list[str]
) -> Iterator[list[dict[str, object]]]:
    """Decode a row group, in smaller batches from where on one did not fit into memory."""
    done = 0
    for size in BATCH_ROWS:
        first = 0
        try:
            for batch in parquet.iter_batches(size, [group], columns, use_threads=False):
                end = first + batch.num_rows
                if end > done:
                    rows = raw_rows(batch.slice(max(done - first, 0)))
                    done = end
                    yield rows
                first = end
        except MemoryError:
            if size == BATCH_ROWS[-1]:
                raise
        else:
            return


def decoded_row(
    raw: dict[str, object], table: Table, rules: RowRules, left: Left
) -> dict[str, object]:
    """Return a row with its texts decoded, or raise `RowFault` for what is wrong with it."""
    size = _size(raw)
    left.spend(size)  # before any fault: a bad row is hashed, which takes as long as to read it
    for fault in table.faults.values():
        raise RowFault(fault)
    if size > rules.max_bytes_per_row:
        raise RowFault(f"row too large: {size:,} bytes, limit {rules.max_bytes_per_row:,}")
    row: dict[str, object] = {name: None for name in table.names}
    row |= {column: _cell(column, raw[column]) for column in table.read}
    table.see_whole(row, rules)
    return row


def _cell(column: str, value: object) -> object:
    if isinstance(value, NotUtf8):
        raise RowFault(f"invalid UTF-8: within {column!r}")
    if isinstance(value, OutOfRange):
        raise RowFault(f"date or time out of range: within {column!r}")
    return decoded(value, repr(column)) if isinstance(value, Utf8) else value


def line_of(raw: dict[str, object], table: Table) -> str | None:
    """Return a row as `Original` has it; None where it is not kept so."""
    if not table.schema:
        return None
    return row_line({column: _cell(column, value) for column, value in raw.items()})


def _size(raw: dict[str, object]) -> int:
    """Bytes of a row's text; of a list and what it holds also `PER_VALUE` for each value."""
    size, left = 0, list(raw.values())
    while left:
        value = left.pop()
        if isinstance(value, bytes):  # a text too, which is not yet decoded
            size += len(value)
        elif isinstance(value, str):
            size += len(value.encode("utf-8", "surrogatepass"))
        elif isinstance(value, list | dict):
            size += PER_VALUE * len(value)
            left += value.values() if isinstance(value, dict) else value
    return size


def digest_of(raw: dict[str, object], left: Left) -> str:
    """Return the hash of a row as it was read."""
    # Of a row that unpacks too far nothing is read: hashing a thousand of them takes minutes.
    return row_digest({} if _size(raw) > left.bytes // 2 else raw)


def file_digest(file: BinaryIO) -> str:
    """Return the SHA-256 of the whole file, leaving the reading position where it was."""
    position = file.tell()
    file.seek(0)
    hasher = hashlib.sha256()
    with suppress(StreamDamaged):  # the file is reported as unreadable; this hashes what is left
        for block in read_blocks(file):
            hasher.update(block)
    file.seek(position)
    return hasher.hexdigest()


def brief(error: BaseException) -> str:
    """Say on one line what a library or the system said."""
    found = printable(str(error).partition("\n")[0][:200])
    if isinstance(error, MemoryError):
        return f"they do not fit into the memory that reading may take ({found or 'no detail'})"
    return found
