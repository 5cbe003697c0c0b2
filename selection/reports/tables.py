"""How is a table laid out, in Markdown for a web page and as plain text for a terminal?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real

from tabulate import SEPARATING_LINE, DataRow, Line, TableFormat, tabulate

from selection.reports.escaping import escape, one_line
from selection.reports.numbers import number

Cell = str | float | bool | None

_ROW = DataRow("", "  ", "")
_TEXT = TableFormat(
    lineabove=None,
    linebelowheader=Line("", "─", "  ", ""),
    linebetweenrows=None,
    linebelow=None,
    headerrow=_ROW,
    datarow=_ROW,
    padding=0,
    with_header_hide=None,
)


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
    headings, *cells = _cells(columns, rows, escape)
    return tabulate(
        cells,
        headers=headings,
        tablefmt="pipe",
        colalign=_alignment(columns, rows),
        disable_numparse=True,
    )


def text_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Lay out rows in aligned columns for a terminal; numbers are right-aligned.

    Parameters, return value and errors are those of `markdown_table`. Texts keep their markup
    but lose their control characters.
    """
    headings, *cells = _cells(columns, rows, one_line)
    return tabulate(
        # As a row: tabulate makes a column two wider than its heading.
        [headings, SEPARATING_LINE, *cells],
        tablefmt=_TEXT,
        colalign=_alignment(columns, rows),
        disable_numparse=True,
    )


def _cells(
    columns: Sequence[str], rows: Sequence[Sequence[Cell]], write: Callable[[str], str]
) -> list[list[str]]:
    """Headings and rows as texts."""
    if not columns:
        raise ValueError("a table needs at least one column.")
    for i, row in enumerate(rows):
        if len(row) != len(columns):
            raise ValueError(
                f"row {i} of the table has {len(row)} cells for {len(columns)} columns "
                f"({', '.join(columns)})."
            )
    lines = [columns, *rows]
    return [[write(c) if isinstance(c, str) else number(c) for c in line] for line in lines]


def _alignment(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[str]:
    """Right for a column of numbers, or gaps, and nothing else; left for others."""
    return [
        "right"
        if any(isinstance(row[j], Real) for row in rows)
        and all(row[j] is None or isinstance(row[j], Real) for row in rows)
        else "left"
        for j in range(len(columns))
    ]
