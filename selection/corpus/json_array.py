"""A `.json` file piece by piece: the elements of one array, or lines of JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, repeat

from selection.corpus.lines import GrowingLine, Line, split_lines
from selection.corpus.streams import BOM, StreamDamaged

_MARK = re.compile(rb'["\[\]{},]')
_IN_STRING = re.compile(rb'["\\]')


def split_json(blocks: Iterator[bytes], *, max_bytes: int) -> Iterator[Line]:
    """Split a byte stream into the elements of a JSON array if it begins with one, else into lines.

    An element is no line of the file: its number counts elements, from 1. One of more than
    `max_bytes` is hashed as it passes and not kept. Nothing is parsed here, only brackets and
    strings are followed.

    Raises
    ------
    StreamDamaged
        From the stream; for an array that does not end, or that something follows.
    """
    blank_lines = 0
    for block in blocks:
        seen = block.removeprefix(BOM).lstrip()
        if seen.startswith(b"["):
            yield from _elements(chain([seen[1:]], blocks), max_bytes)
            return
        if seen:
            before = repeat(b"\n", blank_lines)
            yield from split_lines(chain(before, [block], blocks), max_bytes=max_bytes)
            return
        blank_lines += block.count(b"\n")


def _elements(blocks: Iterator[bytes], max_bytes: int) -> Iterator[Line]:
    element, depth, in_string, escaped = GrowingLine(1, max_bytes), 1, False, False
    try:
        for block in blocks:
            if not depth:
                _require_blank(block, element.number)
                continue
            start = position = 0
            while depth:
                if escaped:  # the byte after a backslash means nothing, whatever it is
                    if position == len(block):
                        break
                    position, escaped = position + 1, False
                mark = (_IN_STRING if in_string else _MARK).search(block, position)
                if mark is None:
                    break
                position = mark.end()
                sign = mark[0]
                if in_string:
                    escaped, in_string = sign == b"\\", sign == b"\\"
                elif sign == b'"':
                    in_string = True
                elif sign in b"[{":
                    depth += 1
                elif sign in b"]}":
                    depth -= 1
                if (sign == b"," and depth == 1 and not in_string) or not depth:
                    _add(element, block[start : position - 1])
                    if not element.size and sign == b",":
                        element.add(sign)  # an element that is none, and no blank line
                    if element.size:
                        yield element.line()
                    element = GrowingLine(element.number + 1, max_bytes)
                    start = position
            if depth:
                _add(element, block[start:])
            else:
                _require_blank(block[position:], element.number)
    except StreamDamaged as damage:
        raise _damaged(str(damage), element) from damage
    if depth:
        raise _damaged("truncated JSON array", element)


def _add(element: GrowingLine, piece: bytes) -> None:
    """Add to an element; space before it is no part of it."""
    element.add(piece if element.size else piece.lstrip())


def _require_blank(rest: bytes, number: int) -> None:
    if rest.strip():
        raise StreamDamaged("bytes after the end of the JSON array", line=number)


def _damaged(reason: str, element: GrowingLine) -> StreamDamaged:
    return StreamDamaged(reason, line=element.number, raw_sha256=element.sha256())
