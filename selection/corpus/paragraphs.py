"""Plain text as rows: one paragraph, one row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from selection.corpus.records import BadRecord, Record
from selection.corpus.rows import RowFault, RowRules, to_record
from selection.corpus.streams import Line


def read_paragraphs(
    lines: Iterator[Line], name: str, rules: RowRules
) -> Iterator[Record | BadRecord]:
    """Read the paragraphs of a text, which blank lines separate.

    Parameters
    ----------
    lines : Iterator of Line
        The file's lines.
    name : str
        The file's name in origins.
    rules : RowRules
        The size limit; a text has no columns to choose or filter by.

    Yields
    ------
    Record or BadRecord
        In file order; the origin is a paragraph's first line.
    """
    paragraph = _Paragraph(rules.max_bytes_per_row)
    for line in lines:
        if not line.long_sha256 and not line.raw.strip():
            if paragraph.first:
                yield _finish(paragraph, name, rules)
                paragraph = _Paragraph(rules.max_bytes_per_row)
        else:
            paragraph.add(line)
    if paragraph.first:
        yield _finish(paragraph, name, rules)


class _Paragraph:
    """Lines so far, hashed; kept only while they are within the limit."""

    def __init__(self, max_bytes: int) -> None:
        self.first = 0
        self.size = 0
        self.raw: list[bytes] = []
        self.hasher = hashlib.sha256()
        self._max_bytes = max_bytes

    def add(self, line: Line) -> None:
        self.first = self.first or line.number
        self.size += line.size
        # A line over the limit was not kept, so its own hash stands in for its bytes.
        self.hasher.update(line.long_sha256.encode() if line.long_sha256 else line.raw + b"\n")
        if self.size > self._max_bytes:
            self.raw.clear()
        else:
            self.raw.append(line.raw)


def _finish(paragraph: _Paragraph, name: str, rules: RowRules) -> Record | BadRecord:
    origin = f"{name}:{paragraph.first}"
    try:
        if paragraph.size > rules.max_bytes_per_row:
            size = f"{paragraph.size:,} bytes, limit {rules.max_bytes_per_row:,}"
            raise RowFault(f"row too large: {size}")
        try:
            text = b"\n".join(paragraph.raw).decode("utf-8")
        except UnicodeDecodeError as error:
            raise RowFault(f"invalid UTF-8: byte {error.start} of the paragraph") from error
        record = to_record({rules.columns.text: text}, rules, origin=origin, sparse=True)
    except RowFault as fault:
        return BadRecord(origin, str(fault), paragraph.hasher.hexdigest())
    assert record is not None, "a text is read without a filter"
    return record
