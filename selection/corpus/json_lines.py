"""JSON lines, any of which may be hostile."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from selection.corpus.records import BadRecord, Record
from selection.corpus.rows import RowFault, RowRules, to_record
from selection.corpus.streams import Line

# Python's parser recurses on the C stack, so its own limit depends on who calls it.
MAX_DEPTH = 64
_BRACKET_OR_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


def read_json_lines(
    lines: Iterator[Line], name: str, rules: RowRules
) -> Iterator[Record | BadRecord]:
    """Read one JSON object a line; a blank line is no row.

    Parameters
    ----------
    lines : Iterator of Line
        The file's lines.
    name : str
        The file's name in origins.
    rules : RowRules
        Columns, filter and size limit.

    Yields
    ------
    Record or BadRecord
        In file order.
    """
    for line in lines:
        if not line.long_sha256 and not line.raw.strip():
            continue
        origin = f"{name}:{line.number}"
        try:
            row = _parse(line, rules.max_bytes_per_row)
            record = to_record(row, rules, origin=origin, sparse=True)
        except RowFault as fault:
            yield BadRecord(origin, str(fault), line.sha256)
        else:
            if record is not None:
                yield record


def _parse(line: Line, max_bytes: int) -> dict[str, object]:
    if line.long_sha256:
        raise RowFault(f"row too large: {line.size:,} bytes, limit {max_bytes:,}")
    if b"\0" in line.raw:
        raise RowFault("NUL character")
    try:
        text = line.raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RowFault(f"invalid UTF-8: byte {error.start} of the line") from error
    if _depth_exceeds(line.raw, MAX_DEPTH):
        raise RowFault(f"nested too deeply: more than {MAX_DEPTH} levels of JSON")
    try:
        row = json.loads(text)
    except json.JSONDecodeError as error:
        raise RowFault(f"not JSON: {error.msg} at column {error.colno}") from error
    except ValueError as error:  # an integer of thousands of digits
        raise RowFault("not JSON: a number is too long") from error
    if not isinstance(row, dict):
        raise RowFault(f"wrong type: the line holds {type(row).__name__}, not an object")
    return row


def _depth_exceeds(raw: bytes, limit: int) -> bool:
    if raw.count(b"[") + raw.count(b"{") <= limit:
        return False
    depth = 0
    for match in _BRACKET_OR_STRING.finditer(raw):
        token = match.group()
        if token in (b"[", b"{"):
            depth += 1
            if depth > limit:
                return True
        elif token in (b"]", b"}"):
            depth -= 1
    return False
