"""Cells of a Parquet file as Python values, none of them believed to be UTF-8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from selection.chats.turns import without_nulls
from selection.corpus.kept_columns import LISTS, is_kept, write_schema
from selection.corpus.limits import MAX_COLUMNS_TOLD
from selection.corpus.records import told_columns
from selection.corpus.row_rules import RowRules
from selection.corpus.rows import RowFault


@dataclass(frozen=True)
class Table:
    """The columns of a file.

    Attributes
    ----------
    read : those to decode.
    faults : why others, without which a row is not what was asked for, cannot be used.
    odd : the same of columns that merely bear the name of a field: only a row that is in a format
        with that field cannot do without them.
    names : some, for messages.
    columns : more of them, as records have them.
    beside : other columns, to be kept with the row as it came.
    schema : `Original.table` of the rows; "" where they are not kept as they came.
    """

    read: list[str]
    faults: dict[str, str]
    odd: dict[str, str]
    names: list[str]
    columns: tuple[str, ...]
    beside: list[str]
    schema: str

    @classmethod
    def of(cls, schema: pa.Schema, rules: RowRules) -> Table:
        """Look at the types of those columns that a row may be asked for."""
        faults, turns = {}, rules.columns_of_turns()
        for column in sorted(rules.wanted() & set(schema.names)):
            [index, *others] = schema.get_all_field_indices(column)
            kind = schema.field(index).type
            if others:
                faults[column] = f"repeated column: {column!r}"
            elif not (_usable(kind) or (column in turns and _may_be_turns(kind))):
                faults[column] = f"wrong type: column {column!r} is {kind}"
        read = sorted((rules.wanted() & set(schema.names)) - faults.keys())
        asked = {*rules.named.values(), *rules.where}
        some = rules.fits(read)
        odd = {column: said for column, said in faults.items() if some and column not in asked}
        faults = {column: said for column, said in faults.items() if column not in odd}
        told = told_columns(tuple(schema.names[:MAX_COLUMNS_TOLD]))
        kept = [field.name for field in schema if is_kept(field.type)] if rules.originals else []
        beside = [name for name in kept if name not in read and schema.names.count(name) == 1]
        written = write_schema(schema) if set(read) <= set(kept) else ""
        return cls(read, faults, odd, schema.names[:8], told, beside, written)

    def see_whole(self, row: Mapping[str, object], rules: RowRules) -> None:
        """Refuse a row whose format has a field that cannot be read here.

        Raises
        ------
        RowFault
            Naming the column and its type.
        """
        found = rules.format_of(row) if self.odd else None
        for field in (*found.needs, *found.may) if found is not None else ():
            if said := self.odd.get(rules.content[field]):
                raise RowFault(said)


def _usable(kind: pa.DataType) -> bool:
    """Whether a cell of this type may be a text or a number; others are not even decoded."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if isinstance(kind, pa.BaseExtensionType):  # a text of JSON, as data sets write mixed values
        kind = kind.storage_type
    numeric = pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)
    return numeric or _is_text(kind)


def _may_be_turns(kind: pa.DataType) -> bool:
    """Whether a cell of this type may be messages: lists and structs, of values without parts."""
    if any(is_a(kind) for is_a in LISTS):
        return _may_be_turns(kind.value_type)
    if pa.types.is_struct(kind):
        names = [field.name for field in kind]
        distinct = len(set(names)) == len(names)
        return distinct and all(_may_be_turns(field.type) for field in kind)
    return not pa.types.is_nested(kind)


def _is_text(kind: pa.DataType) -> bool:
    return (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


class Utf8(bytes):
    """The bytes of a text cell, not yet known to be UTF-8."""


def raw_rows(batch: pa.RecordBatch) -> list[dict[str, object]]:
    """Return the rows of a batch, their texts as `Utf8`, what is not UTF-8 in a list `NotUtf8`."""
    names = batch.schema.names
    if not names:
        return [{} for _ in range(batch.num_rows)]
    columns = [_values(column) for column in batch.columns]
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _values(column: pa.Array) -> list[object]:
    if isinstance(column.type, pa.BaseExtensionType):
        return _values(column.storage)
    if pa.types.is_dictionary(column.type):
        # Each entry once, however many rows repeat it.
        used = column.indices.dictionary_encode()
        cells = _values(column.dictionary.take(used.dictionary))
        places = used.indices.to_pylist()
        return [None if place is None else cells[place] for place in places]
    if pa.types.is_nested(column.type):
        return [_nested(cell) for cell in column]
    if pa.types.is_temporal(column.type) and not pa.types.is_duration(column.type):
        return column.cast(pa.string()).to_pylist()  # Python has no dates before the year 1
    if not _is_text(column.type):
        return column.to_pylist()
    # Parquet does not promise that text is UTF-8, and Arrow would refuse the whole batch.
    cells = column.cast(pa.large_binary()).to_pylist()
    return [None if cell is None else Utf8(cell) for cell in cells]


@dataclass(frozen=True)
class NotUtf8:
    """A cell with a text in it that is no UTF-8; each is like any other, so that hashes repeat."""


@dataclass(frozen=True)
class OutOfRange:
    """A cell with a date or time in it that Python does not have."""


def _nested(cell: pa.Scalar) -> object:
    try:
        return without_nulls(cell.as_py())
    except UnicodeDecodeError:
        return NotUtf8()
    except (ValueError, OverflowError):
        return OutOfRange()
