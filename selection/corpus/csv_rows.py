"""CSV rows, read so that one unclosed quote does not swallow the rest of the file."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter, deque
from collections.abc import Iterator
from functools import partial

from selection.corpus.limits import MAX_LINES_PER_ROW, most_read_again
from selection.corpus.records import BadRecord, Record, UnreadPart
from selection.corpus.rows import RowCut, RowFault, RowRules, decoded, read_row
from selection.corpus.streams import Line, StreamDamaged

LINE_COST = 64
"""Bytes that take as long as it takes to begin a line."""


def read_csv(
    lines: Iterator[Line], name: str, rules: RowRules, *, delimiter: str = ","
) -> Iterator[Record | BadRecord]:
    """Read separated cells (by RFC 4180) under a header row; blank lines are no rows.

    A malformed row costs its first line only: reading goes on at the line after it, so that an
    unclosed quote cannot hide the rows behind it. A file of which every line opens a quote would
    be read as often as it has lines: it is given up, with `StreamDamaged`, when it has been read
    `most_read_again`. An empty cell of a column other than the text's is null. A last row without a
    line break that lacks cells is where the file was cut.
    """
    # The limit is the process's own; it is only ever raised, rows are bounded by the feed.
    csv.field_size_limit(max(csv.field_size_limit(), rules.max_bytes_per_row))
    feed = _Feed(lines, rules.max_bytes_per_row)
    parser = csv.reader(feed, delimiter=delimiter, strict=True)
    header: list[str] | None = None
    header_fault: RowFault | None = None
    while True:
        feed.start_row()
        try:
            cells = next(parser)
            feed.require_utf8()
        except StopIteration:
            feed.require_whole()
            return
        except (RowFault, csv.Error) as error:
            feed.keep_first_line()
            cells, fault = [], _as_fault(error, ended=feed.taken[-1].ended)
        else:
            fault = None
            if not cells:
                continue
        origin = f"{name}:{feed.taken[0].number}"
        if header is None:
            header = cells
            line = feed.taken[0].raw.decode("utf-8", "replace")
            header_fault = _header_fault(cells, fault, line, delimiter, rules.columns.text)
            if not feed.taken[0].ended:
                yield UnreadPart(origin, "file ends within a row: its header", feed.sha256())
            elif header_fault:
                yield BadRecord(origin, str(header_fault), feed.sha256())
            continue
        if fault is None and len(cells) != len(header):
            # Behind a quote in the wrong place a row ends where the next quote is.
            feed.keep_first_line()
            fault = _uneven(len(cells), len(header), ended=feed.taken[-1].ended)
        row = partial(_row, header, cells, rules.columns.text, fault or header_fault)
        yield from read_row(row, rules, origin=origin, digest=feed.sha256)


class _Feed:
    """The lines given to the CSV parser, with those of the row it is at."""

    def __init__(self, lines: Iterator[Line], max_bytes: int) -> None:
        self._lines = lines
        self._again: deque[Line] = deque()
        self._max_bytes = max_bytes
        self._damage: StreamDamaged | None = None
        self._read = self._read_again = 0
        self.start_row()

    def start_row(self) -> None:
        """Forget the lines of the row before."""
        self.taken: list[Line] = []
        self._size = 0

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        if self._again:
            line = self._again.popleft()
            self._read_again += _cost(line)
        else:
            line = self._next()
            self._read += _cost(line)
        self.taken.append(line)
        self._size += line.size
        if self._size > self._max_bytes:
            raise RowFault(f"row too large: over {self._max_bytes:,} bytes")
        if len(self.taken) > MAX_LINES_PER_ROW:
            raise RowFault(f"row too large: over {MAX_LINES_PER_ROW:,} lines")
        return line.raw.decode("utf-8", "surrogateescape") + "\n"

    def _next(self) -> Line:
        # A damage ends the lines, like the end of the file: those of a row that it cuts are
        # parsed again, each by itself, before it is reported.
        try:
            return next(self._lines)
        except StreamDamaged as damage:
            self._damage = damage
            raise StopIteration from damage

    def require_whole(self) -> None:
        """Raise the damage at which the lines ended, if there was one."""
        if self._damage:
            raise self._damage

    def require_utf8(self) -> None:
        """Raise if a line of the row was not UTF-8."""
        for line in self.taken:
            decoded(line.raw, f"line {line.number}", ended=line.ended)

    def keep_first_line(self) -> None:
        """Give the row's later lines back to be parsed again, if that was not done too often."""
        if self._read_again > most_read_again(self._read):
            reason = (
                "too many quotes: from here on rows cannot be told apart, for they are not closed;"
                " write a quote within a cell twice, and the cell in quotes"
            )
            raise StreamDamaged(reason, line=self.taken[0].number, raw_sha256=self.sha256())
        self._again.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]

    def sha256(self) -> str:
        """Return the hash of the row's lines."""
        if len(self.taken) == 1:
            return self.taken[0].sha256()
        return hashlib.sha256(b"\n".join(line.raw for line in self.taken)).hexdigest()


def _cost(line: Line) -> int:
    return LINE_COST + line.size


def _as_fault(error: RowFault | csv.Error, *, ended: bool) -> RowFault:
    if isinstance(error, RowFault):
        return error
    if not ended and str(error) == "unexpected end of data":
        return RowCut("file ends within a row: a quote is not closed")
    return RowFault(f"malformed CSV: {error}")


def _uneven(cells: int, header: int, *, ended: bool) -> RowFault:
    found = f"{cells} cells under a header of {header}"
    if cells < header and not ended:
        return RowCut(f"file ends within a row: {found}")
    return RowFault(f"malformed CSV: {found}")


def _header_fault(
    cells: list[str], fault: RowFault | None, line: str, delimiter: str, text: str
) -> RowFault | None:
    repeated = sorted(cell for cell, count in Counter(cells).items() if count > 1)
    reason: object = f"column {repeated[0]!r} is repeated" if repeated else fault
    other = next((character for character in ",;\t|" if character in line), delimiter)
    if text not in cells and delimiter not in line and other != delimiter:
        reason = (
            f"it is one cell, {line[:200]!r}: columns are parted by {delimiter!r}, not {other!r}"
        )
    return RowFault(f"unusable CSV header: {reason}") if reason else None


def _row(
    header: list[str], cells: list[str], text: str, fault: RowFault | None
) -> dict[str, object]:
    if fault:
        raise fault
    return {
        column: cell if cell or column == text else None
        for column, cell in zip(header, cells, strict=True)
    }
