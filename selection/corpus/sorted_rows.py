"""Rows that come in any order become a file in the order of their ids, each once.

However many there are, so many bytes of them are held: what is more goes to disk as runs, each in
order, and the runs are merged batch by batch. The file is the same whatever was held.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from sys import getsizeof

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from selection.basics.tables import places_of
from selection.basics.text import row_id
from selection.corpus.limits import MAX_ORIGINS, MIB
from selection.corpus.merged_rows import grouped, merge_runs, with_origins
from selection.corpus.records import Record
from selection.corpus.row_block import RowBlock
from selection.corpus.row_table import ROW_SCHEMA, rows_of_block, rows_of_records

_BATCH_ROWS, _BATCH_BYTES = 1024, 4 * MIB
"""What is put into Arrow at a time; of each run a batch is held while they are merged."""

_MERGED_AT_ONCE = 16
"""Runs; of each two batches are held, and a file is open."""

_LARGEST_RUN = 1024 * MIB
"""No column of a run may come near what 32 bits can count."""

_PER_ROW = 256
"""Bytes of a row beside its texts: its id, its places in Python's and in Arrow's tables."""


@dataclass(frozen=True)
class Written:
    """What a file holds.

    Attributes
    ----------
    n_rows, n_words : all rows, and their words.
    """

    n_rows: int
    n_words: int


class SortedRows:
    """Rows of a source on their way into a file.

    Parameters
    ----------
    source : its name.
    folder : for runs, which are removed once they are merged.
    memory : bytes of rows and of their places that are held, with the copy that sorting makes.
    """

    def __init__(self, source: str, folder: Path, memory: int) -> None:
        self._source, self._folder = source, folder
        self._memory, self._taken = min(memory // 2, _LARGEST_RUN), 0
        self._ids: set[str] = set()
        self._copies: dict[str, list[str]] = {}
        self._waiting: list[tuple[str, Record]] = []
        self._waiting_bytes = 0
        self._held: list[pa.RecordBatch] = []
        # Each with how often its rows have been merged: those that come first most often.
        self._runs: list[tuple[int, Path]] = []
        self._n_runs = 0

    def keep(self, record: Record) -> str | None:
        """Take a row; where it repeats one that is held, its place is added to that one.

        Returns
        -------
        str or None
            Its id, where it does not.
        """
        key = record.row_id
        is_new = self._is_new(key, record.origin)
        if is_new:
            self._waiting.append((key, record))
            self._waiting_bytes += _PER_ROW + _size_of(record)
            if len(self._waiting) == _BATCH_ROWS or self._waiting_bytes > _BATCH_BYTES:
                self._hold_waiting()
        self._write_if_full()
        return key if is_new else None

    def keep_block(self, block: RowBlock) -> tuple[pa.Array, pa.Array]:
        """Take rows that were read together.

        Returns
        -------
        row_id : of those that repeat none that is held.
        is_new : which those are.
        """
        ids = [row_id(text) for text in block.text]
        is_new = [self._is_new(key, block.origin(row)) for row, key in enumerate(ids)]
        new = rows_of_block(self._source, ids, block)
        mask = pa.array(is_new, pa.bool_())
        if not all(is_new):
            new = new.filter(mask)
        self._hold(new)
        self._write_if_full()
        return new["row_id"], mask

    def write(self, path: Path, metadata: Mapping[str, str]) -> Written:
        """Write all rows as Parquet, `ROW_SCHEMA`; of copies text and columns of the first."""
        schema = ROW_SCHEMA.with_metadata(metadata)
        n_rows = n_words = 0
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for group in grouped(self._merged()):
                writer.write_table(group, row_group_size=len(group))
                n_rows += group.num_rows
                n_words += int(pc.sum(group["n_words"]).as_py())  # pyright: ignore
            if not n_rows:
                writer.write_table(schema.empty_table())
        return Written(n_rows, n_words)

    def _is_new(self, key: str, origin: str) -> bool:
        if key not in self._ids:
            self._ids.add(key)
            return True
        places = self._copies.setdefault(key, [])
        if len(places) < MAX_ORIGINS:
            places.append(origin)
            self._taken += getsizeof(origin) + 8
        return False

    def _hold_waiting(self) -> None:
        if self._waiting:
            ids, records = zip(*self._waiting, strict=True)
            self._hold(rows_of_records(self._source, ids, records))
            self._waiting, self._waiting_bytes = [], 0

    def _hold(self, rows: pa.RecordBatch) -> None:
        self._held.append(rows)
        self._taken += rows.nbytes + _PER_ROW * rows.num_rows

    def _write_if_full(self) -> None:
        if self._taken + self._waiting_bytes > self._memory:
            self._write_run()

    def _write_run(self) -> None:
        """Write what is held as a run; of many that are alike one is made."""
        self._runs.append((0, self._written(self._in_order())))
        while self._last_are_alike():
            self._merge_last()

    def _last_are_alike(self) -> bool:
        """Whether as many as are merged at once have been merged as often."""
        last = self._runs[-_MERGED_AT_ONCE:]
        return len(last) == _MERGED_AT_ONCE and last[0][0] == last[-1][0]

    def _merge_last(self) -> None:
        """Make one run of the last ones, as many as are merged at once."""
        often, _ = self._runs[-_MERGED_AT_ONCE]
        paths = [path for _, path in self._runs[-_MERGED_AT_ONCE:]]
        self._runs[-_MERGED_AT_ONCE:] = [(often + 1, self._written(_rows_of(paths)))]

    def _written(self, batches: Iterator[pa.RecordBatch]) -> Path:
        path = self._folder / f"run_{self._n_runs}.arrow"
        self._n_runs += 1
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with (
            pa.OSFile(os.fspath(path), "wb") as file,
            pa.ipc.new_stream(file, ROW_SCHEMA, options=options) as writer,
        ):
            for batch in batches:
                writer.write_batch(batch)
        pa.default_memory_pool().release_unused()  # it would keep much of what was held
        return path

    def _in_order(self) -> Iterator[pa.RecordBatch]:
        """Give the rows that are held, in order, and let them go."""
        self._hold_waiting()
        rows, copies = pa.Table.from_batches(self._held, ROW_SCHEMA), self._copies
        self._held, self._ids, self._copies, self._taken = [], set(), {}, 0
        rows = rows.combine_chunks()  # as sorting does too, but which would keep the chunks
        rows = rows.sort_by("row_id")
        if copies:
            origins = rows["origins"].to_pylist()
            at = places_of(pa.chunked_array([list(copies)], pa.string()), rows["row_id"])
            for place, more in zip(at.tolist(), copies.values(), strict=True):
                origins[place] += more
            rows = with_origins(rows, origins)
        if rows.num_rows:
            of_a_row = max(1, rows.nbytes // rows.num_rows)
            yield from rows.to_batches(min(_BATCH_ROWS, max(1, _BATCH_BYTES // of_a_row)))

    def _merged(self) -> Iterator[pa.RecordBatch]:
        """Give all rows in order, each once."""
        if not self._runs:
            yield from self._in_order()
            return
        if self._ids:
            self._write_run()
        while len(self._runs) > _MERGED_AT_ONCE:  # the last ones are the smallest
            self._merge_last()
        yield from _rows_of([path for _, path in self._runs])
        self._runs = []


def _rows_of(runs: Sequence[Path]) -> Iterator[pa.RecordBatch]:
    """Give the rows of runs in order, each once, of copies those of the first; then remove them."""
    with ExitStack() as opened:
        files = [opened.enter_context(pa.OSFile(os.fspath(run))) for run in runs]
        for table in merge_runs([iter(pa.ipc.open_stream(file)) for file in files]):
            yield from table.to_batches()
    for path in runs:
        path.unlink()


def _size_of(record: Record) -> int:
    texts = (record.text, record.prompt, record.response, record.turns)
    return sum(len(text) for text in texts if text is not None)
