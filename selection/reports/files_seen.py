"""How is said what the files of a source hold, in a terminal and on a page?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from selection.corpus.seen_files import SeenFile
from selection.reports.tables import Cell

FILES_LISTED = 20
"""Files that a table names; how many more there are stands under it."""

COLUMNS_LISTED = 12

Table = tuple[Sequence[str], list[list[Cell]]]
"""Headings and rows, as `text_table` and `markdown_table` take them."""


def files_table(files: Iterable[SeenFile], *, first: int | None = None) -> Table:
    """One line a file: its rows, its formats and its columns.

    Parameters
    ----------
    first : rows that were read of each at most; None where all were.
    """
    rows: list[list[Cell]] = [
        [seen.source, seen.file, rows_text(seen, first), _formats(seen), _columns(seen)]
        for seen in islice(files, FILES_LISTED)
    ]
    return ["source", "file", "rows", "format", "columns"], rows


def samples_table(files: Iterable[SeenFile]) -> Table:
    """One line a sample: where it stands and what it says."""
    rows: list[list[Cell]] = [
        [seen.source, sample.origin, sample.shown]
        for seen in islice(files, FILES_LISTED)
        for sample in seen.samples
    ]
    return ["source", "row", "says"], rows


def rows_text(seen: SeenFile, first: int | None) -> str:
    """Say how many rows were read of a file, and how many of them cannot be used."""
    said = f"{seen.n_rows:,}"
    if first is not None:
        said = f"first {first:,}" if seen.n_rows >= first else f"all {said}"
    if seen.bad:
        said += f", {seen.bad:,} bad"
    return said + ", a part unread" * (seen.unread > 0)


def _formats(seen: SeenFile) -> str:
    if len(seen.formats) == 1:
        return next(iter(seen.formats))
    return ", ".join(f"{name} ({count:,})" for name, count in seen.formats.most_common()) or "none"


def _columns(seen: SeenFile) -> str:
    more = len(seen.columns) - COLUMNS_LISTED
    listed = ", ".join(islice(seen.columns, COLUMNS_LISTED))
    return f"{listed} and {more:,} more" if more > 0 else listed
