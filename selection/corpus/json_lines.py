"""JSON lines, any of which may be hostile."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial

from selection.corpus.limits import MAX_JSON_DEPTH
from selection.corpus.records import BadRecord, Record
from selection.corpus.rows import RowCut, RowFault, RowRules, decoded, read_row
from selection.corpus.streams import Line

_BRACKET_OR_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


def read_json_lines(
    lines: Iterator[Line], name: str, rules: RowRules
) -> Iterator[Record | BadRecord]:
    """Read one JSON object a line; a blank line is no row.

    A last line without a line break that begins an object and is none is where the file was cut.
    """
    for line in lines:
        if line.long_sha256 or line.raw.strip():
            yield from read_row(
                partial(_parse, line, rules.max_bytes_per_row),
                rules,
                origin=f"{name}:{line.number}",
                digest=line.sha256,
                sparse=True,
            )


def _parse(line: Line, max_bytes: int) -> dict[str, object]:
    if line.long_sha256:
        raise RowFault(f"row too large: {line.size:,} bytes, limit {max_bytes:,}")
    text = decoded(line.raw, "the line", ended=line.ended)
    if "\0" in text:
        raise RowFault("NUL character")
    if _depth_exceeds(line.raw, MAX_JSON_DEPTH):
        raise RowFault(f"nested too deeply: more than {MAX_JSON_DEPTH} levels of JSON")
    try:
        row = json.loads(text)
    except json.JSONDecodeError as error:
        whole = error.msg == "Extra data"
        if not line.ended and not whole and text.lstrip().startswith("{"):
            cut = f"file ends within a row: {error.msg} at column {error.colno}"
            raise RowCut(cut) from error
        said = f"not JSON: {error.msg} at column {error.colno}"
        if whole or text.strip() in ("{", "["):
            said += "; a row is one object on one line, or one element of an array"
        raise RowFault(said) from error
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
