"""CSV rows, read so that one unclosed quote does not swallow the rest of the file."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from selection.corpus.kept_columns import row_line
from selection.corpus.limits import (
    MAX_CELLS_PER_ROW,
    MAX_COLUMNS_TOLD,
    MAX_LINES_PER_ROW,
    most_read_again,
)
from selection.corpus.lines import Line
from selection.corpus.records import BadRecord, Record, UnreadPart, told_columns
from selection.corpus.row_rules import RowRules
from selection.corpus.rows import NOT_WRITTEN, RowFault, RowsMissing, decoded, read_row
from selection.corpus.streams import StreamDamaged

MALFORMED = "malformed CSV"

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
    line break that lacks cells is where the file was cut. A NUL makes a row bad in whatever column,
    and an unread part where many follow one another or the cells are not those of the header.
    """
    # The limit is the process's own; it is only ever raised, rows are bounded by the feed.
    csv.field_size_limit(max(csv.field_size_limit(), rules.max_bytes_per_row))
    feed = _Feed(lines, rules.max_bytes_per_row, delimiter)
    parser = csv.reader(feed, delimiter=delimiter, strict=True)
    header: _Header | None = None
    while True:
        feed.start_row()
        cells: list[str] = []  # those of the row before are gone when the next are parsed
        try:
            cells = next(parser)
            feed.require_utf8()
        except StopIteration:
            feed.require_whole()
            return
        except (RowFault, csv.Error) as error:
            feed.keep_first_line()
            fault: RowFault | None = _as_fault(error, ended=feed.taken[-1].ended)
        else:
            fault = None
            if not cells:
                continue
        origin = f"{name}:{feed.taken[0].number}"
        if header is None:
            fault = feed.nul_fault(fault) or fault
            header = _Header.of(cells, fault, feed.taken[0].raw, delimiter, rules)
            if not feed.taken[0].ended:
                yield UnreadPart(origin, "file ends within a row: its header", feed.sha256())
            elif isinstance(fault, RowsMissing):
                yield UnreadPart(origin, str(fault), feed.sha256())
            elif header.fault:
                yield BadRecord(origin, str(header.fault), feed.sha256())
            continue
        if fault is None and len(cells) != len(header.names):
            # Behind a quote in the wrong place a row ends where the next quote is.
            feed.keep_first_line()
            fault = _uneven(len(cells), len(header.names), ended=feed.taken[-1].ended)
        fault = fault or header.fault
        fault = feed.nul_fault(fault) or fault
        yield from read_row(
            partial(header.row, cells, fault),
            rules,
            origin=origin,
            digest=feed.sha256,
            columns=header.columns,
            line=partial(header.line, cells),
        )


@dataclass(frozen=True)
class _Header:
    """The first row: its cells, where the columns are that are read, and its fault."""

    names: list[str]
    places: list[tuple[int, str]]
    text: str
    fault: RowFault | None
    columns: tuple[str, ...]

    @classmethod
    def of(
        cls, cells: list[str], fault: RowFault | None, raw: bytes, delimiter: str, rules: RowRules
    ) -> _Header:
        text, wanted = rules.columns.column_of("text"), rules.wanted()
        # Some others are kept for messages.
        places = [(i, cell) for i, cell in enumerate(cells) if i < 8 or cell in wanted]
        found = _header_fault(cells, fault, raw.decode("utf-8", "replace"), delimiter, wanted)
        told = told_columns(tuple(cells[:MAX_COLUMNS_TOLD]))
        return cls(cells, places, text, found, told)

    def row(self, cells: list[str], fault: RowFault | None) -> dict[str, object]:
        """Return the cells of a row by column, or raise its fault."""
        if fault:
            # That of the header is raised for every row, and would keep all of them.
            raise fault.with_traceback(None)
        return {
            column: cells[place] if cells[place] or column == self.text else None
            for place, column in self.places
        }

    def line(self, cells: list[str]) -> str:
        """Return all cells of a row by column, as a line of JSON."""
        return row_line(dict(zip(self.names, cells, strict=True)))


class _Feed:
    """The lines given to the CSV parser, with those of the row it is at."""

    def __init__(self, lines: Iterator[Line], max_bytes: int, delimiter: str) -> None:
        self._lines = lines
        self._delimiter = delimiter.encode()
        self._again: deque[Line] = deque()
        self._max_bytes = max_bytes
        self._damage: StreamDamaged | None = None
        self._read = self._read_again = 0
        self.start_row()

    def start_row(self) -> None:
        """Forget the lines of the row before."""
        self.taken: list[Line] = []
        self._size = self._delimiters = 0
        self._has_nul = False

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
        self._has_nul |= line.long_zeros or b"\0" in line.raw
        if self._size > self._max_bytes:
            raise RowFault(f"row too large: over {self._max_bytes:,} bytes")
        if len(self.taken) > MAX_LINES_PER_ROW:
            raise RowFault(f"row too large: over {MAX_LINES_PER_ROW:,} lines")
        self._delimiters += line.raw.count(self._delimiter)
        if self._delimiters > MAX_CELLS_PER_ROW:
            raise RowFault(f"row too large: over {MAX_CELLS_PER_ROW:,} separators of cells")
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

    def nul_fault(self, fault: RowFault | None) -> RowFault | None:
        """Say what NUL bytes in the row's lines mean, which has this fault; None without any."""
        if not self._has_nul:
            return None
        if any(line.zeros() for line in self.taken):
            return RowsMissing(NOT_WRITTEN)
        if not any(b"\0" in line.raw for line in self.taken):
            return None  # it was in a line that is read again
        if fault is None:
            return RowFault("NUL character")
        is_cells = str(fault).startswith(MALFORMED)
        return RowsMissing(f"zero bytes: in a row that has also {fault}") if is_cells else None

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
        return RowsMissing("file ends within a row: a quote is not closed")
    return RowFault(f"{MALFORMED}: {error}")


def _uneven(cells: int, header: int, *, ended: bool) -> RowFault:
    found = f"{cells} cells under a header of {header}"
    if cells < header and not ended:
        return RowsMissing(f"file ends within a row: {found}")
    return RowFault(f"{MALFORMED}: {found}")


def _header_fault(
    cells: list[str], fault: RowFault | None, line: str, delimiter: str, wanted: set[str]
) -> RowFault | None:
    repeated = sorted(cell for cell, count in Counter(cells).items() if count > 1)
    reason: object = f"column {repeated[0]!r} is repeated" if repeated else fault
    other = next((character for character in ",;\t|" if character in line), delimiter)
    if wanted.isdisjoint(cells) and delimiter not in line and other != delimiter:
        reason = (
            f"it is one cell, {line[:200]!r}: columns are parted by {delimiter!r}, not {other!r}"
        )
    return RowFault(f"unusable CSV header: {reason}") if reason else None
