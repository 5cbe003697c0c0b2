"""How a mapping of column to value, from any format, becomes a record."""

from __future__ import annotations

import codecs
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from selection.basics.brevity import cut
from selection.basics.text import printable, text_fault
from selection.config.pool import ColumnNames
from selection.corpus.limits import MAX_REASON_CHARS
from selection.corpus.records import BadRecord, Record, UnreadPart


class RowFault(ValueError):
    """Why one row cannot be used; its message, safe to print, is the reason of a `BadRecord`."""

    def __init__(self, reason: str) -> None:
        super().__init__(printable(cut(reason, MAX_REASON_CHARS)))


class RowsMissing(RowFault):
    """More may be lost than one row; the message becomes the reason of an `UnreadPart`.

    Attributes
    ----------
    missing : rows that are known to be lost; None where nobody knows.
    """

    def __init__(self, reason: str, missing: int | None = None) -> None:
        super().__init__(reason)
        self.missing = missing


NOT_WRITTEN = "zero bytes: a piece of the file was never written, or is lost"
"""Why a row with a run of NUL bytes stands for nobody knows how many."""


@dataclass(frozen=True)
class RowRules:
    """What a reader was asked for: its columns, its filter and the largest row it accepts."""

    columns: ColumnNames
    where: Mapping[str, str]
    max_bytes_per_row: int

    def wanted(self) -> set[str]:
        """Return every column that a row may be asked for."""
        return {self.columns.text, *self.columns.optional().values(), *self.where}


def read_row(
    parse: Callable[[], Mapping[str, object]],
    rules: RowRules,
    *,
    origin: str,
    digest: Callable[[], str],
    sparse: bool = False,
) -> Iterator[Record | BadRecord]:
    """Yield one row's record, or why it is none; nothing when the filter does not want the row.

    Parameters
    ----------
    parse : gives column to value; may raise `RowFault`.
    digest : gives the hash of the row's bytes; asked for a bad row only.
    sparse : whether a row may leave out a column that it has no value for. True for JSON lines; in
        a table every row has every column, so there an absent one is a misspelt name.
    """
    try:
        record = _to_record(parse(), rules, origin, sparse)
    except RowsMissing as fault:
        yield UnreadPart(origin, str(fault), digest(), fault.missing)
    except RowFault as fault:
        yield BadRecord(origin, str(fault), digest())
    else:
        if record is not None:
            yield record


def decoded(raw: bytes, place: str, *, ended: bool = True) -> str:
    """Decode UTF-8, or raise `RowFault` with the place of the first byte that is none.

    Parameters
    ----------
    ended : False for the end of a file that ends without a line break. A character cut in two is a
        `RowsMissing` there.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if not ended and error.reason == "unexpected end of data":
            raise RowsMissing(
                f"file ends within a row: after byte {error.start} of {place}"
            ) from error
        said = f"invalid UTF-8: byte {error.start} of {place}"
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            said += ", which begins as UTF-16 does; save the file as UTF-8"
        raise RowFault(said) from error


def row_digest(row: Mapping[str, object]) -> str:
    """Return the SHA-256 of a row that has no raw line: of its canonical JSON."""
    line = json.dumps(row, sort_keys=True, default=repr)
    return hashlib.sha256(line.encode("utf-8")).hexdigest()


def _to_record(
    row: Mapping[str, object], rules: RowRules, origin: str, sparse: bool
) -> Record | None:
    for column, value in rules.where.items():
        if column not in row:
            raise RowFault(f"missing filter column: {_absent(column, row)}")
        found = row[column]
        if found is None:  # it may belong to any of the sources that the column parts
            raise RowFault(f"null filter column: {_absent(column, row)}")
        if _scalar(found, column) != value:
            return None
    # Texts keep their exact type rule; the small fields may be numbers (a label often is).
    values: dict[str, str | None] = {}
    for field, column in rules.columns.optional().items():
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


def _text(row: Mapping[str, object], columns: ColumnNames, values: Mapping[str, str | None]) -> str:
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
    if isinstance(value, float):
        raise RowFault(f"wrong type: column {column!r} is the float {value!r}; write it as text")
    if not isinstance(value, str | int):
        raise RowFault(f"wrong type: column {column!r} is {type(value).__name__}")
    return str(value)


def _absent(column: str, row: Mapping[str, object]) -> str:
    found = ", ".join(repr(str(name))[:40] for name in list(row)[:8])
    state = "is null" if column in row else "is absent"
    return f"column {column!r} {state} (the row has {found or 'no columns'})"
