"""Plain text as rows: one paragraph, one row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from itertools import chain

from selection.corpus.lines import Line
from selection.corpus.records import BadRecord, Record
from selection.corpus.row_rules import RowRules
from selection.corpus.rows import NOT_WRITTEN, RowFault, RowsMissing, decoded, read_row
from selection.corpus.streams import StreamDamaged


def read_paragraphs(
    lines: Iterator[Line], name: str, rules: RowRules
) -> Iterator[Record | BadRecord]:
    """Read the paragraphs of a text, which blank lines separate; the origin is the first line's.

    Of the rules only the size limit counts: a text has no columns to choose or filter by. Of a
    damaged stream the paragraph that is cut is not read. One with a run of NUL bytes is an unread
    part.
    """
    paragraph = _Paragraph(rules.max_bytes_per_row)
    try:
        for line in chain(lines, [Line(0, b"", 0)]):
            if line.long_sha256 or line.raw.strip():
                paragraph.add(line)
            elif paragraph.first:
                yield from read_row(
                    partial(_row, paragraph, rules),
                    rules,
                    origin=f"{name}:{paragraph.first}",
                    digest=paragraph.hasher.hexdigest,
                    sparse=True,
                )
                paragraph = _Paragraph(rules.max_bytes_per_row)
    except StreamDamaged as damage:
        damage.line = paragraph.first or damage.line
        raise


class _Paragraph:
    """Lines so far, hashed; kept only while they are within the limit."""

    def __init__(self, max_bytes: int) -> None:
        self.first = 0
        self.size = 0
        self.kept = bytearray()
        self.hasher = hashlib.sha256()
        self.ended = True
        self.zeros = False
        self._max_bytes = max_bytes

    def add(self, line: Line) -> None:
        self.first = self.first or line.number
        self.size += line.size
        self.ended = line.ended
        self.zeros |= line.zeros()
        # A line over the limit was not kept, so its own hash stands in for its bytes.
        self.hasher.update(line.long_sha256.encode() if line.long_sha256 else line.raw + b"\n")
        if self.size > self._max_bytes:
            self.kept.clear()
        else:
            self.kept += line.raw + b"\n"


def _row(paragraph: _Paragraph, rules: RowRules) -> dict[str, object]:
    if paragraph.zeros:
        raise RowsMissing(NOT_WRITTEN)
    if paragraph.size > rules.max_bytes_per_row:
        size = f"{paragraph.size:,} bytes, limit {rules.max_bytes_per_row:,}"
        raise RowFault(f"row too large: {size}")
    text = decoded(bytes(paragraph.kept[:-1]), "the paragraph", ended=paragraph.ended)
    return {rules.columns.column_of("text"): text}
