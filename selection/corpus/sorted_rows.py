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
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from selection.basics.words import count_words
from selection.corpus.limits import MAX_ORIGINS, MIB
from selection.corpus.records import Record

ROW_SCHEMA = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        # What selection looks at: of a conversation perhaps a part, and `turns` is all of it.
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("prompt", pa.string()),
        pa.field("response", pa.string()),
        # A conversation as canonical JSON, and the format in which the row came.
        pa.field("turns", pa.large_string()),
        pa.field("format", pa.string(), nullable=False),
        pa.field("licence", pa.string()),
        pa.field("label", pa.string()),
        pa.field("n_words", pa.int32(), nullable=False),
        pa.field("origins", pa.list_(pa.string()), nullable=False),
    ]
)
GROUP_ROWS, GROUP_BYTES = 16_384, 64 * MIB
"""What a row group of the file has at most; a row that is larger is one by itself."""

_BATCH_ROWS, _BATCH_CHARS = 1024, 4 * MIB
"""What is put into Arrow at a time; of each run a batch is held while they are merged."""
_PER_ROW = 1024  # bytes of a row beside its texts: its id, its places in Python's tables


class _Kept(NamedTuple):
    """What is kept of a record; the row as it came is in no table and is not."""

    text: str
    prompt: str | None
    response: str | None
    turns: str | None
    format: str
    licence: str | None
    label: str | None
    n_words: int
    origins: list[str]


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
    memory : bytes of rows, and of their places, that are held.
    """

    def __init__(self, source: str, folder: Path, memory: int) -> None:
        self._source = source
        self._folder = folder
        self._memory = memory
        self._kept: dict[str, _Kept] = {}
        self._taken = 0
        self._runs: list[Path] = []

    def keep(self, record: Record) -> str | None:
        """Take a row; where it repeats one that is held, its place is added to that one.

        Returns
        -------
        str or None
            Its id, where it does not.
        """
        key = record.row_id
        found = self._kept.get(key)
        if found is None:
            self._kept[key] = kept = _kept(record)
            texts = (kept.text, kept.prompt, kept.response, kept.turns, kept.licence, kept.label)
            self._taken += _PER_ROW + sum(getsizeof(text) for text in texts if text is not None)
        elif len(found.origins) < MAX_ORIGINS:
            found.origins.append(record.origin)
            self._taken += getsizeof(record.origin) + 8
        if self._taken > self._memory:
            self._write_run()
        return key if found is None else None

    def write(self, path: Path, metadata: Mapping[str, str]) -> Written:
        """Write all rows as Parquet, `ROW_SCHEMA`; of copies text and columns of the first."""
        schema = ROW_SCHEMA.with_metadata(metadata)
        n_rows = n_words = 0
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for group in _grouped(self._merged()):
                writer.write_table(group, row_group_size=len(group))
                n_rows += group.num_rows
                n_words += int(pc.sum(group["n_words"]).as_py())  # pyright: ignore
            if not n_rows:
                writer.write_table(schema.empty_table())
        return Written(n_rows, n_words)

    def _write_run(self) -> None:
        path = self._folder / f"run_{len(self._runs)}.arrow"
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with (
            pa.OSFile(os.fspath(path), "wb") as file,
            pa.ipc.new_stream(file, ROW_SCHEMA, options=options) as writer,
        ):
            for batch in self._held():
                writer.write_batch(batch)
        self._runs.append(path)
        self._taken = 0

    def _held(self) -> Iterator[pa.RecordBatch]:
        """Give the rows that are held, in order, and let them go."""
        keys: list[str] = []
        rows: list[_Kept] = []
        chars = 0
        for key in sorted(self._kept):
            keys.append(key)
            rows.append(self._kept.pop(key))  # so that no row is there twice
            chars += len(rows[-1].text) + len(rows[-1].turns or "")
            if len(rows) == _BATCH_ROWS or chars > _BATCH_CHARS:
                yield _batch(self._source, keys, rows)
                keys, rows, chars = [], [], 0
        if rows:
            yield _batch(self._source, keys, rows)

    def _merged(self) -> Iterator[pa.RecordBatch]:
        """Give all rows in order, each once."""
        if not self._runs:
            yield from self._held()
            return
        if self._kept:
            self._write_run()
        with ExitStack() as opened:
            files = [opened.enter_context(pa.OSFile(os.fspath(run))) for run in self._runs]
            for table in _merge_runs([iter(pa.ipc.open_stream(file)) for file in files]):
                yield from table.to_batches()
        for run in self._runs:
            run.unlink()
        self._runs = []


def _kept(record: Record) -> _Kept:
    return _Kept(
        text=record.text if record.looked_at is None else record.looked_at,
        prompt=record.prompt,
        response=record.response,
        turns=record.turns,
        format=record.format,
        licence=record.licence,
        label=record.label,
        n_words=count_words(record.text),
        origins=[record.origin],
    )


def _batch(source: str, keys: Sequence[str], rows: Sequence[_Kept]) -> pa.RecordBatch:
    columns = dict(zip(_Kept._fields, zip(*rows, strict=True), strict=True)) if rows else {}
    columns |= {"row_id": keys, "source": [source] * len(keys)}
    return pa.record_batch(
        [pa.array(columns.get(field.name, ()), field.type) for field in ROW_SCHEMA],
        schema=ROW_SCHEMA,
    )


def _merge_runs(runs: Sequence[Iterator[pa.RecordBatch]]) -> Iterator[pa.Table]:
    """Merge runs that are in order: each time up to where the first of their batches ends."""
    left: list[pa.RecordBatch | None] = [next(run, None) for run in runs]
    later = [next(run, None) for run in runs]
    while any(batch is not None for batch in left):
        ends = [
            batch["row_id"][-1].as_py()
            for batch, more in zip(left, later, strict=True)
            if batch is not None and more is not None
        ]
        parts: list[pa.RecordBatch] = []
        for number, batch in enumerate(left):
            if batch is None:
                continue
            n = batch.num_rows
            if ends:
                n = pc.sum(pc.less_equal(batch["row_id"], min(ends))).as_py()  # pyright: ignore
            parts.append(batch.slice(0, n))
            left[number] = batch.slice(n)
            if n == batch.num_rows:
                left[number], later[number] = later[number], next(runs[number], None)
        yield _merge(parts)


def _merge(batches: Sequence[pa.RecordBatch]) -> pa.Table:
    """Rows of some runs in order, each once: of copies the first run's, with the places of all."""
    table = pa.Table.from_batches(batches, ROW_SCHEMA)
    run = np.repeat(np.arange(len(batches)), [batch.num_rows for batch in batches])
    keys = [("row_id", "ascending"), ("run", "ascending")]
    order = pc.sort_indices(  # pyright: ignore[reportAttributeAccessIssue]
        table.select(["row_id"]).append_column("run", pa.array(run)), sort_keys=keys
    )
    table = table.take(order)
    row_id = table["row_id"].to_numpy()
    is_new = np.ones(len(row_id), dtype=bool)
    is_new[1:] = row_id[1:] != row_id[:-1]
    first = np.flatnonzero(is_new)
    if len(first) == len(row_id):
        return table
    copies = np.diff([*first, len(row_id)])
    merged, places = table.take(pa.array(first)), table["origins"]
    origins = merged["origins"].to_pylist()
    for which in np.flatnonzero(copies > 1).tolist():
        several = places.slice(first[which], copies[which]).to_pylist()
        origins[which] = [one for some in several for one in some][:MAX_ORIGINS]
    at, field = ROW_SCHEMA.get_field_index("origins"), ROW_SCHEMA.field("origins")
    return merged.set_column(at, field, pa.array(origins, field.type))


def _grouped(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Cut rows into groups at the same rows however they come."""
    held: list[pa.RecordBatch] = []
    n_rows, n_bytes = 0, 0
    for batch in batches:
        before = np.concatenate([[0], np.cumsum(_sizes(batch))])
        start = 0
        while start < batch.num_rows:
            fits = int(np.searchsorted(before, before[start] + GROUP_BYTES - n_bytes, side="right"))
            end = max(start, min(fits - 1, start + GROUP_ROWS - n_rows))
            if end == start and not n_rows:
                end += 1  # larger than a group may be
            held.append(batch.slice(start, end - start))
            n_rows, n_bytes = n_rows + end - start, n_bytes + int(before[end] - before[start])
            start = end
            if start < batch.num_rows:
                yield pa.Table.from_batches(held, ROW_SCHEMA).combine_chunks()
                held, n_rows, n_bytes = [], 0, 0
    if n_rows:
        yield pa.Table.from_batches(held, ROW_SCHEMA).combine_chunks()


def _sizes(batch: pa.RecordBatch) -> np.ndarray:
    """Bytes of the texts of each row."""
    sizes = np.zeros(batch.num_rows, dtype=np.int64)
    for name in ("text", "prompt", "response", "turns"):
        lengths = pc.binary_length(batch[name]).fill_null(0)  # pyright: ignore
        sizes += lengths.to_numpy(zero_copy_only=False)
    return sizes
