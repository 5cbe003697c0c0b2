"""Which columns of a typed table can be kept as JSON, and how do they get their types back?

Kept are texts, numbers, truth values, dates and times, and lists and structs of these. Images,
sounds and other bytes are not, nor are maps and durations. Times of day come back as texts.
"""

from __future__ import annotations

import base64
import datetime
import json
import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import pyarrow as pa

LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)

_NUMBERS = (pa.types.is_null, pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating)
_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_WRITTEN = (pa.types.is_timestamp, pa.types.is_date, pa.types.is_time, pa.types.is_decimal)
"""Types that JSON has no values for, which are written as a text."""


def is_kept(kind: pa.DataType) -> bool:
    """Whether the values of a type can be kept."""
    if _is(kind, LISTS):
        return is_kept(kind.value_type)
    if pa.types.is_struct(kind):
        names = [field.name for field in kind]
        return len(set(names)) == len(names) and all(is_kept(field.type) for field in kind)
    if pa.types.is_dictionary(kind):
        return is_kept(kind.value_type)
    return _is(kind, (*_NUMBERS, *_TEXTS, *_WRITTEN))


def not_kept(schema: pa.Schema) -> list[str]:
    """Say which columns of a table are not kept: name and type."""
    return [f"{field.name} ({field.type})" for field in schema if not is_kept(field.type)]


def row_line(row: Mapping[str, object]) -> str:
    """Return a row as one line of JSON, its columns in their order.

    Dates, times and decimals are texts. What no JSON number is (NaN, infinity) becomes null.

    Raises
    ------
    TypeError
        For a value of a type that is not kept.
    """
    return json.dumps(_plain(row), ensure_ascii=False, separators=(", ", ": "))


def write_schema(schema: pa.Schema) -> str:
    """Return a table's columns and types as a text."""
    return base64.b64encode(schema.remove_metadata().serialize().to_pybytes()).decode()


def read_schema(text: str) -> pa.Schema:
    """Return the columns and types that `write_schema` has written."""
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))


def typed_table(rows: Sequence[Mapping[str, object]], schema: pa.Schema) -> pa.Table:
    """Return rows that `row_line` has written, once parsed, with the types that they had.

    Parameters
    ----------
    schema : of their table; its columns that are not kept are left out.
    """
    kept = pa.schema([field for field in schema if is_kept(field.type)])
    loose = pa.schema([pa.field(field.name, _loose(field.type)) for field in kept])
    table = pa.Table.from_pylist(list(rows), schema=loose)
    return table.cast(pa.schema([pa.field(f.name, _given_back(f.type)) for f in kept]))


def _plain(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime.date | datetime.time):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"a value of type {type(value).__name__} is not kept")


def _loose(kind: pa.DataType) -> pa.DataType:
    """Return the type in which JSON has the values of a type."""
    if _is(kind, _WRITTEN):
        return pa.string()
    if pa.types.is_float16(kind):
        return pa.float32()
    return _inside(kind, _loose)


def _given_back(kind: pa.DataType) -> pa.DataType:
    """Return the type that a column has again: times of day stay texts, which Arrow cannot read."""
    return pa.string() if pa.types.is_time(kind) else _inside(kind, _given_back)


def _inside(kind: pa.DataType, change: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    """Change what a list, a struct or a dictionary holds."""
    if pa.types.is_dictionary(kind):
        return change(kind.value_type)
    if _is(kind, LISTS):
        return (
            pa.large_list(change(kind.value_type))
            if pa.types.is_large_list(kind)
            else pa.list_(change(kind.value_type))
        )
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, change(field.type)) for field in kind])
    return kind


def _is(kind: pa.DataType, among: Sequence[Callable[[pa.DataType], bool]]) -> bool:
    return any(is_a(kind) for is_a in among)
