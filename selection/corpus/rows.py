"""How a mapping of column to value, from any format, becomes a record."""

from __future__ import annotations

import codecs
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from selection.basics.text import text_fault
from selection.chats.conversation import ChatFault, Conversation
from selection.chats.formats import (
    TEXT,
    Format,
)
from selection.corpus.licences import licence_name
from selection.corpus.limits import MAX_COLUMNS_TOLD
from selection.corpus.originals import Original, write_columns
from selection.corpus.records import BadRecord, Record, UnreadPart, told_columns
from selection.corpus.row_faults import RowFault, RowsMissing
from selection.corpus.row_rules import RowRules

NOT_WRITTEN = "zero bytes: a piece of the file was never written, or is lost"
"""Why a row with a run of NUL bytes stands for nobody knows how many."""


NO_FORMAT = "no known format"
"""Kind of fault of a row whose columns say nothing of what it holds."""


def read_row(
    parse: Callable[[], Mapping[str, object]],
    rules: RowRules,
    *,
    origin: str,
    digest: Callable[[], str],
    columns: tuple[str, ...] | None = None,
    line: Callable[[], str | None] | None = None,
    table: str = "",
    sparse: bool = False,
) -> Iterator[Record | BadRecord]:
    """Yield one row's record, or why it is none; nothing when the filter does not want the row.

    Parameters
    ----------
    parse : gives column to value; may raise `RowFault`.
    digest : gives the hash of the row's bytes; asked for a bad row only.
    columns : of the table, as `told_columns` gives them; those of the row itself when None.
    line : gives `Original.line`, or None where it cannot be kept; asked for a good row, of which it
        may still raise `RowFault`. None for a bare text.
    table : `Original.table` of the row.
    sparse : whether a row may leave out a column that it has no value for. True for JSON lines; in
        a table every row has every column, so there an absent one is a misspelt name.
    """
    try:
        row = parse()
        if columns is None:
            columns = told_columns(tuple(islice(row, MAX_COLUMNS_TOLD)))
        record = None
        if _is_wanted(row, rules):
            values = _values(row, rules, sparse)
            kept = line() if rules.originals and line is not None else None
            original = None if kept is None else _original(kept, table, rules)
            record = Record(origin=origin, columns=columns, original=original, **values)
    except RowsMissing as fault:
        yield UnreadPart(origin, str(fault), digest(), fault.missing)
    except RowFault as fault:
        yield BadRecord(origin, str(fault), digest())
    else:
        if record is not None:
            yield record


def _original(line: str, table: str, rules: RowRules) -> Original:
    if len(line) > rules.max_bytes_per_row:
        limit = f"{rules.max_bytes_per_row:,}"
        raise RowFault(f"row too large: {len(line):,} characters in all columns, limit {limit}")
    return Original(line, table, write_columns(rules.content))


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


def _is_wanted(row: Mapping[str, object], rules: RowRules) -> bool:
    for column, value in rules.where.items():
        if column not in row:
            raise RowFault(f"missing filter column: {_absent(column, row)}")
        found = row[column]
        if found is None:  # it may belong to any of the sources that the column parts
            raise RowFault(f"null filter column: {_absent(column, row)}")
        if _scalar(found, column) != value:
            return False
    return True


def _values(row: Mapping[str, object], rules: RowRules, sparse: bool) -> dict[str, Any]:
    """What a record has of a row's cells."""
    values: dict[str, Any] = {"licence": _licence(row, rules), **_about(row, rules, sparse)}
    found = rules.format_of(row)
    if found is None or found is TEXT:
        whole = _text(row, rules)
        values |= {"text": whole, **_paired(row, rules)}
    else:
        said = _conversation(row, found, rules.content)
        whole = said.to_json()
        values |= {"text": said.text, "prompt": said.prompt, "response": said.response}
        values |= {"turns": whole, "format": found.name}
    size = len(whole) if whole.isascii() else len(whole.encode("utf-8"))
    if size > rules.max_bytes_per_row:
        raise RowFault(f"row too large: {size:,} bytes, limit {rules.max_bytes_per_row:,}")
    return values


def _about(row: Mapping[str, object], rules: RowRules, sparse: bool) -> dict[str, str | None]:
    """What is said about a row, in columns that are named."""
    values: dict[str, str | None] = {}
    for field, column in rules.about.items():
        value = row.get(column)
        if column not in row and not sparse and field not in rules.may_be_absent:
            raise RowFault(f"missing column: {_absent(column, row)}")
        values[field] = None if value is None else _scalar(value, column)
        _check(values[field], column)
    return values


def _licence(row: Mapping[str, object], rules: RowRules) -> str | None:
    """Its licence, in a column that nobody has named."""
    names = (licence_name(row.get(column)) for column in rules.licence_columns)
    return next((name for name in names if name is not None), None)


def _conversation(
    row: Mapping[str, object], found: Format, columns: Mapping[str, str]
) -> Conversation:
    fields = {field: row.get(columns[field]) for field in (*found.needs, *found.may)}
    try:
        return found.read(fields, columns)
    except ChatFault as fault:
        raise RowFault(str(fault)) from fault


def _paired(row: Mapping[str, object], rules: RowRules) -> dict[str, str | None]:
    """Prompt and response that a text has beside it, where their columns are named."""
    values: dict[str, str | None] = {}
    for field in ("prompt", "response"):
        column = rules.named.get(field)
        value = None if column is None else row.get(column)
        if column is not None and value is not None:
            values[field] = _string(value, column)
            _check(values[field], column)
    return values


def _text(row: Mapping[str, object], rules: RowRules) -> str:
    column = rules.columns.column_of("text")
    given = row.get(column)
    if given is None:
        if rules.formats == (TEXT,) or column in row:
            raise RowFault(f"missing text column: {_absent(column, row)}")
        raise RowFault(f"{NO_FORMAT}: {formatless(row, rules)}")
    text = _string(given, column)
    fault = text_fault(text)
    if fault:
        raise RowFault(fault)
    return text


def formatless(row: Mapping[str, object], rules: RowRules) -> str:
    """What to write into the pool's file for a row in no format, and what that row has."""
    named = {str(name)[:40]: value for name, value in row.items()}
    lists = (name for name, value in named.items() if isinstance(value, list))
    texts = (name for name, value in named.items() if isinstance(value, str))
    example = next((f"messages: {name}" for name in lists), None)
    example = example or f"text: {next(texts, next(iter(named), '...'))}"
    known = "; ".join(
        " and ".join(map(rules.columns.column_of, one.needs)) for one in rules.formats
    )
    return (
        f"name its columns, such as `columns: {{{example}}}`; the row has {_columns_of(row)}, and"
        f" known are {known}"
    )


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
    state = "is null" if column in row else "is absent"
    return f"column {column!r} {state} (the row has {_columns_of(row)})"


def _columns_of(row: Mapping[str, object]) -> str:
    return ", ".join(repr(str(name))[:40] for name in list(row)[:8]) or "no columns"
