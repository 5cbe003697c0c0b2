"""Tables, numbers and pictures as text: Markdown for the web page, plain text for the terminal.

Rows of a corpus are written by strangers, so nothing they contain may act as markup in a browser
or as a control sequence in a terminal.
"""

from __future__ import annotations

import base64
import math
import re
import unicodedata
from numbers import Integral, Real
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    Cell = str | float | bool | None

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# ASCII punctuation that has no meaning in Markdown or HTML where it stands inside a line. A single
# underscore inside a word has none either, and source names are full of them.
_MARKUP = re.compile(r"[!-~](?<![A-Za-z0-9.,;?%/+()-])(?<![A-Za-z0-9]_(?=[A-Za-z0-9]))")
# Line marks that start a list or a rule when they come first.
_LEADING_MARK = re.compile(r"^(\s*)([+-])")
# Control characters, bidirectional overrides and lone surrogates: the first drive a terminal, the
# second reorder what a reader sees, the last cannot be written as UTF-8.
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def escape(text: str) -> str:
    """Make a text render as itself in Markdown, in a Markdown table cell, and in HTML.

    Markup characters become numeric entities, which CommonMark (section 2.5) never reads as
    structure; whitespace runs, line ends included, become one space; unprintable characters
    become U+FFFD.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        One line.
    """
    line = _MARKUP.sub(lambda match: f"&#{ord(match[0])};", _one_line(text))
    return _LEADING_MARK.sub(lambda match: f"{match[1]}&#{ord(match[2])};", line)


def number(value: float | None) -> str:
    """Format a number for people.

    Parameters
    ----------
    value : int, float, bool or None
        Counts, FLOPs, losses, shares, seconds; numpy scalars included.

    Returns
    -------
    str
        "—" for None, "yes"/"no" for bools, grouped digits for integers under a thousand million,
        otherwise "1.23e12" from a million up and below a thousandth, and four decimals
        under ten ("6.2041"), two up to a million ("412.35").
    """
    if value is None:
        return "—"
    if isinstance(value, bool) or type(value).__name__ == "bool":  # numpy's is no int
        return "yes" if value else "no"
    if isinstance(value, Integral) and abs(int(value)) < 10**9:
        return f"{int(value):,}"
    real = float(value)
    size = abs(real)
    if not math.isfinite(real):
        return str(real)
    if size == 0.0:
        return "0"
    if size >= 1e6 or size < 1e-3:
        mantissa, exponent = f"{real:.2e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{real:.4f}" if size < 10 else f"{real:,.2f}"


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Lay out rows as a Markdown table; texts are escaped, numbers are right-aligned.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    rows : sequence of sequences
        Cells: texts, numbers, bools or None, as many as there are headings.

    Returns
    -------
    str
        Lines, without a final line end.

    Raises
    ------
    ValueError
        If there is no column, or a row's length differs from the headings'.
    """
    _check_shape(columns, rows)
    rule = ["---:" if numeric else "---" for numeric in _numeric_columns(len(columns), rows)]
    lines = [[escape(name) for name in columns], rule]
    lines += [[escape(c) if isinstance(c, str) else number(c) for c in row] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def text_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Lay out rows in aligned columns for a terminal; numbers are right-aligned.

    Parameters, return value and errors are those of `markdown_table`. Texts keep their markup
    but lose their control characters.
    """
    _check_shape(columns, rows)
    lines = [[_one_line(name) for name in columns]]
    lines += [[_one_line(c) if isinstance(c, str) else number(c) for c in row] for row in rows]
    widths = [max(_cells_wide(text) for text in column) for column in zip(*lines, strict=True)]
    lines.insert(1, ["─" * width for width in widths])
    numeric = _numeric_columns(len(columns), rows)
    return "\n".join(
        "  ".join(
            " " * (width - _cells_wide(text)) + text
            if right
            else text + " " * (width - _cells_wide(text))
            for text, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in lines
    )


def picture(png: bytes, alt: str) -> str:
    """Embed a picture in Markdown.

    Parameters
    ----------
    png : bytes
        A PNG file.
    alt : str
        What the picture shows, for those who cannot see it.

    Returns
    -------
    str
        Markdown image whose address holds the picture itself, in base64.

    Raises
    ------
    ValueError
        If the bytes are not a PNG file.
    """
    if not png.startswith(_PNG_SIGNATURE):
        raise ValueError(f"the picture {alt!r} is not a PNG file: it starts with {png[:8]!r}.")
    return f"![{escape(alt)}](data:image/png;base64,{base64.b64encode(png).decode('ascii')})"


def _one_line(text: str) -> str:
    return _UNPRINTABLE.sub("\ufffd", " ".join(text.split()))


def _check_shape(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    if not columns:
        raise ValueError("a table needs at least one column.")
    for i, row in enumerate(rows):
        if len(row) != len(columns):
            raise ValueError(
                f"row {i} of the table has {len(row)} cells for {len(columns)} columns "
                f"({', '.join(columns)})."
            )


def _numeric_columns(n_columns: int, rows: Sequence[Sequence[Cell]]) -> list[bool]:
    """Whether each column holds numbers, or gaps, and nothing else."""
    return [
        any(isinstance(row[j], Real) for row in rows)
        and all(row[j] is None or isinstance(row[j], Real) for row in rows)
        for j in range(n_columns)
    ]


def _cells_wide(text: str) -> int:
    """Width in terminal cells: wide East Asian characters take two, combining marks none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
