"""Rows of plain text that were read together, since nothing is to be said of any of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from selection.corpus.originals import Original
from selection.corpus.records import BadRecord, Record


@dataclass(frozen=True)
class RowBlock:
    """Usable rows of one file, each on a line of its own, one after another.

    Attributes
    ----------
    file : its name in origins.
    first : number of the first line, from 1.
    text : of shape (n,); each as in `Record`.
    licence, label, split : of shape (n,); None where no row has one.
    lines : large_string of shape (n,), the rows as they came.
    columns : of the rows, as in `Record`.
    renamed : field -> column, of fields whose column is called otherwise.
    """

    file: str
    first: int
    text: Sequence[str]
    licence: Sequence[str | None] | None
    label: Sequence[str | None] | None
    split: Sequence[str | None] | None
    lines: pa.LargeStringArray
    columns: tuple[str, ...]
    renamed: str

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.text)

    def origin(self, row: int) -> str:
        """Where a row is, as in `Record`."""
        return f"{self.file}:{self.first + row}"

    def record(self, row: int) -> Record:
        """Return a row as it would be read by itself."""
        return Record(
            self.text[row],
            self.origin(row),
            licence=None if self.licence is None else self.licence[row],
            label=None if self.label is None else self.label[row],
            split=None if self.split is None else self.split[row],
            columns=self.columns,
            original=Original(self.lines[row].as_py(), columns=self.renamed),
        )

    def records(self) -> Iterator[Record]:
        """Give all rows, one by one."""
        return map(self.record, range(len(self)))


def one_by_one(read: Iterator[Record | BadRecord | RowBlock]) -> Iterator[Record | BadRecord]:
    """Give rows that were read together one by one, for who looks at each."""
    for one in read:
        if isinstance(one, RowBlock):
            yield from one.records()
        else:
            yield one


def rows_in(read: Record | BadRecord | RowBlock) -> int:
    """How many rows were read at once."""
    return len(read) if isinstance(read, RowBlock) else 1
