"""The lines of a file, and what is remembered of one that is too long to be kept."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from selection.corpus.limits import MAX_LONE_NULS
from selection.corpus.streams import BOM, StreamDamaged

_ZEROS = b"\0" * (MAX_LONE_NULS + 1)
_ROW = re.compile(rb'\{\s*+"(?:[^"\\]|\\.){0,200}+"\s*+:', re.DOTALL)
_MAX_BEGINNING = 256


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its ending; of a too long one, only what the fields say is kept.

    Attributes
    ----------
    number : from 1.
    raw : its bytes; none of a too long one.
    size : bytes.
    long_sha256 : hash of a too long one; None of others.
    ended : False for the last line of a file that ends without a line break.
    long_zeros, long_begun : what `zeros` and `begun` say of a too long one.
    """

    number: int
    raw: bytes
    size: int
    long_sha256: str | None = None
    ended: bool = True
    long_zeros: bool = False
    long_begun: int = 0

    def sha256(self) -> str:
        """SHA-256 of the line's bytes."""
        return self.long_sha256 or hashlib.sha256(self.raw).hexdigest()

    def zeros(self) -> bool:
        """Whether more NUL bytes follow one another than any row has: a piece is not there."""
        return self.long_zeros or (b"\0" in self.raw and _ZEROS in self.raw)

    def begun(self) -> int:
        """How many rows begin in it, as far as they begin alike: see `Beginnings`."""
        return self.long_begun or rows_begun(self.raw)


class Beginnings:
    """Counts the rows that begin in a piece of JSON which cannot be parsed, from its pieces.

    Programs write the fields of all rows in one order. So a row begins as the first object does, up
    to the name of its first field, and follows a comma or the end of another object. The objects
    within a row have other fields, or follow a bracket or a colon.
    """

    def __init__(self) -> None:
        self.count = 0
        self._next: re.Pattern[bytes] | None = None
        self._tail = b""

    def add(self, piece: bytes) -> None:
        """Take some more of it."""
        seen = self._tail + piece
        known = len(self._tail)
        if self._next is None:
            first = _ROW.search(seen)
            if first is None or len(first[0]) > _MAX_BEGINNING:
                self._tail = seen[-_MAX_BEGINNING:]
                return
            self._next = re.compile(rb"[,}]\s*+" + re.escape(first[0]))
            self.count, known = 1, first.end()
        self.count += sum(match.end() > known for match in self._next.finditer(seen))
        self._tail = seen[-2 * _MAX_BEGINNING :]


def rows_begun(raw: bytes) -> int:
    """Count the rows that begin in a piece of JSON, as `Beginnings` does."""
    found = Beginnings()
    found.add(raw)
    return found.count


class GrowingLine:
    """A line while its pieces come in; they are kept only while they are within the limit."""

    def __init__(self, number: int, max_bytes: int) -> None:
        self.number, self.size = number, 0
        self._max_bytes = max_bytes
        self._kept = bytearray()
        self._passing: _Passing | None = None

    def add(self, piece: bytes) -> None:
        """Take some more of it."""
        self.size += len(piece)
        if self.size <= self._max_bytes:
            self._kept += piece
            return
        if self._passing is None:
            self._passing = _Passing()
            self._passing.add(bytes(self._kept))
            self._kept = bytearray()
        self._passing.add(piece)

    def sha256(self) -> str:
        """SHA-256 of what has come in so far."""
        hasher = self._passing.hasher if self._passing else hashlib.sha256(self._kept)
        return hasher.hexdigest()

    def line(self) -> Line:
        """Return it as a reader of lines takes it."""
        if self._passing is None:
            return Line(self.number, bytes(self._kept), self.size)
        return Line(
            self.number,
            b"",
            self.size,
            self.sha256(),
            long_zeros=self._passing.zeros,
            long_begun=self._passing.beginnings.count,
        )


class _Passing:
    """What is remembered of bytes that are not kept."""

    def __init__(self) -> None:
        self.hasher, self.beginnings, self.zeros = hashlib.sha256(), Beginnings(), False
        self._tail = b""

    def add(self, piece: bytes) -> None:
        self.hasher.update(piece)
        self.beginnings.add(piece)
        self.zeros = self.zeros or _ZEROS in self._tail + piece
        self._tail = piece[-MAX_LONE_NULS:]


def split_lines(blocks: Iterator[bytes], *, max_bytes: int, first: int = 1) -> Iterator[Line]:
    r"""Split a byte stream at ``\n``, ``\r\n`` or ``\r``, even mixed, and drop a leading BOM.

    A line of more than `max_bytes` is hashed as it passes and not kept; the last needs no ending.

    Parameters
    ----------
    first : number of the first line, which only at the beginning of a file is 1.

    Raises
    ------
    StreamDamaged
        From the stream, after all whole lines, with the number and hash of the cut line.
    """
    line = GrowingLine(first, max_bytes)
    after_return = False
    try:
        for block in blocks:
            if after_return and block.startswith(b"\n"):
                block = block[1:]
            after_return = block.endswith(b"\r")
            for piece in block.splitlines(keepends=True):
                content = piece.rstrip(b"\r\n")
                ended = len(piece) > len(content)
                if ended and not line.size and len(content) <= max_bytes:  # as nearly all are
                    yield _unmarked(Line(line.number, content, len(content)))
                    line.number += 1
                    continue
                line.add(content)
                if ended:
                    yield _unmarked(line.line())
                    line = GrowingLine(line.number + 1, max_bytes)
    except StreamDamaged as damage:
        raise StreamDamaged(str(damage), line=line.number, raw_sha256=line.sha256()) from damage
    if line.size:
        yield replace(_unmarked(line.line()), ended=False)


def _unmarked(line: Line) -> Line:
    """Return the line, the first one without a byte order mark."""
    return replace(line, raw=line.raw.removeprefix(BOM)) if line.number == 1 else line
