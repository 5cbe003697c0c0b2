"""How a mapping of column to value, from any format, becomes a record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from selection.basics.text import text_fault
from selection.config.pool import Columns
from selection.corpus.records import Record


class RowFault(ValueError):
    """Why one row cannot be used; its message becomes the reason of a `BadRecord`."""


@dataclass(frozen=True)
class RowRules:
    """What a reader was asked for: its columns, its filter and the largest row it accepts."""

    columns: Columns
    where: Mapping[str, str]
    max_bytes_per_row: int

    def wanted(self) -> set[str]:
        """Return every column that a row may be asked for."""
        return {self.columns.text, *self.optional().values(), *self.where}

    def optional(self) -> dict[str, str]:
        """Return field of `Record` -> column, for the named columns other than the text."""
        return {field: name for field, name in self.columns if name is not None and field != "text"}


def to_record(
    row: Mapping[str, object], rules: RowRules, *, origin: str, sparse: bool
) -> Record | None:
    """Turn one parsed row into a record.

    Parameters
    ----------
    row : Mapping
        Column to value.
    rules : RowRules
        Columns, filter and size limit.
    origin : str
        Where the row stands.
    sparse : bool
        Whether a row may leave out a column that it has no value for. True for JSON lines; in a
        table every row has every column, so there an absent one is a misspelt name.

    Returns
    -------
    Record or None
        None when the filter does not want the row.

    Raises
    ------
    RowFault
        The row cannot be used.
    """
    for column, value in rules.where.items():
        if column not in row:
            raise RowFault(f"missing filter column: {_absent(column, row)}")
        found = row[column]
        if found is None or _scalar(found, column) != value:
            return None
    # Texts keep their exact type rule; the small fields may be numbers (a label often is).
    values: dict[str, str | None] = {}
    for field, column in rules.optional().items():
        value = row.get(column)
        if column not in row and not sparse:
            raise RowFault(f"missing column: {_absent(column, row)}")
        if value is None:
            values[field] = None
            continue
        is_text = field in ("prompt", "response")
        values[field] = _string(value, column) if is_text else _scalar(value, column)
        _check(values[field], column)
    text = _text(row, rules.columns, values)
    size = len(text.encode("utf-8"))
    if size > rules.max_bytes_per_row:
        raise RowFault(f"row too large: {size:,} bytes, limit {rules.max_bytes_per_row:,}")
    return Record(text=text, origin=origin, **values)


def row_digest(row: Mapping[str, object]) -> str:
    """Return the SHA-256 of a row that has no raw line: of its canonical JSON."""
    line = json.dumps(row, sort_keys=True, default=repr)
    return hashlib.sha256(line.encode("utf-8")).hexdigest()


def _text(row: Mapping[str, object], columns: Columns, values: Mapping[str, str | None]) -> str:
    given = row.get(columns.text)
    if given is not None:
        text = _string(given, columns.text)
        fault = text_fault(text)
        if fault:
            raise RowFault(fault)
        return text
    prompt, response = values.get("prompt"), values.get("response")
    if prompt is None or response is None:
        raise RowFault(f"missing text column: {_absent(columns.text, row)}")
    if not prompt.strip() or not response.strip():
        raise RowFault("empty text: the prompt or the response is blank")
    return prompt + "\n\n" + response


def _check(value: str | None, column: str) -> None:
    fault = text_fault(value) if value else None
    if fault and fault != "empty text":
        raise RowFault(f"{fault}: in column {column!r}")


def _string(value: object, column: str) -> str:
    if not isinstance(value, str):
        raise RowFault(f"wrong type: column {column!r} is {type(value).__name__}, not text")
    return value


def _scalar(value: object, column: str) -> str:
    if not isinstance(value, str | int):
        raise RowFault(f"wrong type: column {column!r} is {type(value).__name__}")
    return str(value)


def _absent(column: str, row: Mapping[str, object]) -> str:
    found = ", ".join(repr(str(name))[:40] for name in list(row)[:8])
    state = "is null" if column in row else "is absent"
    return f"column {column!r} {state} (the row has {found or 'no columns'})"
