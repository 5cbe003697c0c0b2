"""Texts of a pool's rows, which stay on disk until somebody looks at them."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import overload

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HELD_GROUPS = 2
"""Row groups that are kept once they are read: one, and the one that a reader moves on to."""

Places = range | np.ndarray
"""Of rows in a file, int64."""


class RowGroups:
    """One column of a Parquet file, or what is made of some, a row group at a time.

    Parameters
    ----------
    file : of which groups are small, as `selection.corpus.sorted_rows` writes them.
    columns : to be read.
    make : gives the column of a group; None for the one that is read.
    """

    def __init__(
        self,
        file: Path,
        columns: Sequence[str],
        make: Callable[[pa.Table], list[str]] | None = None,
    ) -> None:
        self._file = pq.ParquetFile(file)
        self._columns, self._make = list(columns), make
        found = self._file.metadata
        sizes = [found.row_group(group).num_rows for group in range(found.num_row_groups)]
        self.starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self._held: OrderedDict[int, pa.Array] = OrderedDict()
        self._lock = Lock()  # texts are tokenized beside the thread that embeds them

    def read(self, group: int) -> pa.Array:
        """Give the column of a group."""
        with self._lock:
            if group not in self._held:
                table = self._file.read_row_group(group, columns=self._columns)
                if self._make is None:
                    found = table[self._columns[0]].combine_chunks()
                else:
                    found = pa.array(self._make(table), pa.large_string())
                self._held[group] = found
            self._held.move_to_end(group)
            while len(self._held) > HELD_GROUPS:
                self._held.popitem(last=False)
            return self._held[group]

    def groups_of(self, places: np.ndarray) -> np.ndarray:
        """Which group each place is in."""
        return np.searchsorted(self.starts, places, side="right") - 1


class StoredTexts(Sequence[str]):
    """Some texts of a file; they become Python's where they are looked at.

    To pass over them, or over a slice of them, reads each row group once where the places rise.

    Parameters
    ----------
    groups : of the file.
    places : of the texts in it; None for all.
    """

    def __init__(self, groups: RowGroups, places: Places | None = None) -> None:
        self._groups = groups
        self._places: Places = range(int(groups.starts[-1])) if places is None else places

    def __len__(self) -> int:
        """How many there are."""
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...

    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        """One of them, or some without reading them."""
        if isinstance(place, slice):
            return StoredTexts(self._groups, self._places[place])
        at = np.array([self._places[place]])
        group = int(self._groups.groups_of(at)[0])
        return self._groups.read(group)[int(at[0] - self._groups.starts[group])].as_py()

    def only(self, places: np.ndarray) -> "StoredTexts":
        """Some of them, by their places among these, without reading them."""
        return StoredTexts(self._groups, np.asarray(self._places, dtype=np.int64)[places])

    def __iter__(self) -> Iterator[str]:
        """Give them in order."""
        places = np.asarray(self._places, dtype=np.int64)
        group_of = self._groups.groups_of(places)
        moves = np.flatnonzero(np.diff(group_of, prepend=-1))
        for group, some in zip(group_of[moves].tolist(), np.split(places, moves)[1:], strict=True):
            column = self._groups.read(group)
            yield from column.take(pa.array(some - self._groups.starts[group])).to_pylist()


def rows_at(file: Path, columns: Sequence[str], places: np.ndarray) -> pa.Table:
    """Read some rows of a Parquet file, in the order of the places; of it a row group is held.

    Parameters
    ----------
    places : int64 of shape (n,).
    """
    opened = pq.ParquetFile(file)
    order = np.argsort(places, kind="stable")
    rising, start = places[order], 0
    parts = [opened.schema_arrow.empty_table().select(list(columns))]
    for group in range(opened.metadata.num_row_groups):
        end = start + opened.metadata.row_group(group).num_rows
        first, last = np.searchsorted(rising, [start, end])
        if first < last:
            table = opened.read_row_group(group, columns=list(columns))
            parts.append(table.take(pa.array(rising[first:last] - start)))
        start = end
    return pa.concat_tables(parts).take(pa.array(np.argsort(order)))
