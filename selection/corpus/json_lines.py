"""JSON lines, any of which may be hostile."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial

from selection.corpus.records import BadRecord, Record
from selection.corpus.rows import RowFault, RowRules, decoded, read_row
from selection.corpus.streams import Line

# Python's parser recurses on the C stack, so its own limit depends on who calls it.
MAX_DEPTH = 64
_BRACKET_OR_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


def read_json_lines(
    lines: Iterator[Line], name: str, rules: RowRules
) -> Iterator[Record | BadRecord]:
    """Read one JSON object a line; a blank line is no row."""
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
    if b"\0" in line.raw:
        raise RowFault("NUL character")
    text = decoded(line.raw, "the line")
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
