"""JSON lines, any of which may be hostile."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator

from selection.basics.json_depth import depth_exceeds
from selection.basics.json_keys import RepeatedKey, distinct_keys
from selection.corpus.limits import MAX_JSON_DEPTH
from selection.corpus.lines import Line, rows_begun
from selection.corpus.originals import one_line
from selection.corpus.records import BadRecord, Record
from selection.corpus.row_rules import RowRules
from selection.corpus.rows import NOT_WRITTEN, RowFault, RowsMissing, decoded, read_row

_SPACE = re.compile(r"[ \t\n\r]*+")
_DECODER = json.JSONDecoder(object_pairs_hook=distinct_keys)
_ONE_A_LINE = "a row is one object on one line, or one element of an array"


def read_json_lines(
    lines: Iterator[Line], name: str, rules: RowRules
) -> Iterator[Record | BadRecord]:
    """Read one JSON object a line; a blank line is no row.

    Objects that follow one another on a line, with nothing but space between, are a row each.
    Whatever else may be more than one row is an unread part: a list of objects, an object around
    such a list, a line that cannot be parsed and in which several rows begin, a run of NUL bytes.
    So is a last line without a line break that begins an object and is none: there the file was
    cut.
    """
    for line in lines:
        if line.long_sha256 or line.raw.strip():
            objects = _Objects(line, rules)
            while not objects.done:
                yield from read_row(
                    objects.next,
                    rules,
                    origin=f"{name}:{line.number}",
                    digest=objects.sha256,
                    line=objects.line,
                    sparse=True,
                )


class _Objects:
    """The objects of a line, one after another; after a fault there are no more."""

    def __init__(self, line: Line, rules: RowRules) -> None:
        self.done = False
        self._line, self._rules = line, rules
        self._text: str | None = None
        self._start = self._end = 0

    def next(self) -> dict[str, object]:
        """Return the next one, or raise `RowFault` for all that is left of the line."""
        self._start = self._end
        self.done = True
        try:
            if self._text is None:
                self._text = _text_of(self._line, self._rules.max_bytes_per_row)
            row, self._end = self._parse(self._text)
        except RowsMissing:
            raise
        except RowFault as fault:
            begun = rows_begun(self._left()) if self._start else self._line.begun()
            if begun > 1:
                raise RowsMissing(f"more than one row: {fault}", begun) from fault
            raise
        self.done = self._end == len(self._text)
        return _one_row(row, self._rules)

    def line(self) -> str:
        """Return the text of the object; of one that is alone on its line, all of the line."""
        assert self._text is not None, "what was parsed was decoded"
        whole = self._text[self._start : self._end]
        return one_line(whole if len(whole) == len(self._text) else whole.strip())

    def sha256(self) -> str:
        """Return the hash of the object, or of what is left of the line."""
        if not self._start and self.done:
            return self._line.sha256()
        return hashlib.sha256(self._left()).hexdigest()

    def _left(self) -> bytes:
        assert self._text is not None, "what has a beginning was decoded"
        end = self._end if self._end > self._start else None
        return self._text[self._start : end].encode()

    def _parse(self, text: str) -> tuple[object, int]:
        """Parse what begins at `_start`; give it with where it ends, and the space behind it."""
        start = _after_space(text, self._start)
        try:
            row, end = _DECODER.raw_decode(text, start)
        except json.JSONDecodeError as error:
            if not self._line.ended and text.startswith("{", start):
                cut = f"file ends within a row: {error.msg} at column {error.colno}"
                raise RowsMissing(cut) from error
            hint = f"; {_ONE_A_LINE}" if text.strip() in ("{", "[") else ""
            raise RowFault(f"not JSON: {error.msg} at column {error.colno}{hint}") from error
        except RepeatedKey as error:
            raise RowFault(str(error)) from error
        except ValueError as error:  # an integer of thousands of digits
            raise RowFault("not JSON: a number is too long") from error
        end = _after_space(text, end)
        follows = isinstance(row, dict) and text.startswith("{", end)
        if end < len(text) and not follows:
            raise RowFault(f"not JSON: Extra data at column {end + 1}; {_ONE_A_LINE}")
        return row, end


def _text_of(line: Line, max_bytes: int) -> str:
    if line.zeros():
        raise RowsMissing(NOT_WRITTEN)
    if line.long_sha256:
        raise RowFault(f"row too large: {line.size:,} bytes, limit {max_bytes:,}")
    text = decoded(line.raw, "the line", ended=line.ended)
    if "\0" in text:
        raise RowFault("NUL character")
    if depth_exceeds(line.raw, MAX_JSON_DEPTH):
        raise RowFault(f"nested too deeply: more than {MAX_JSON_DEPTH} levels of JSON")
    return text


def _after_space(text: str, start: int) -> int:
    found = _SPACE.match(text, start)
    assert found is not None, "no space is space too"
    return found.end()


def _one_row(value: object, rules: RowRules) -> dict[str, object]:
    """Return a value if it is an object, and no list of rows nor an object around one."""
    if isinstance(value, list):
        rows = sum(isinstance(inner, dict) for inner in value)
        if rows > 1:
            raise RowsMissing(f"more than one row: a list of {rows:,}; {_ONE_A_LINE}", rows)
    if not isinstance(value, dict):
        raise RowFault(f"wrong type: the line holds {type(value).__name__}, not an object")
    if not _is_row(value, rules):
        for column, inner in value.items():
            rows = sum(_is_row(one, rules) for one in inner) if isinstance(inner, list) else 0
            if rows > 1:
                within = f"a list of {rows:,} in the field {column[:80]!r}"
                raise RowsMissing(f"more than one row: {within}; {_ONE_A_LINE}", rows)
    return value


def _is_row(value: object, rules: RowRules) -> bool:
    return isinstance(value, dict) and rules.is_whole(value)
