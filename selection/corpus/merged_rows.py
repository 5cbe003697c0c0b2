"""Rows of several runs, each in the order of their ids, become one, each once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selection.corpus.limits import MAX_ORIGINS, MIB
from selection.corpus.row_table import ROW_SCHEMA

GROUP_ROWS, GROUP_BYTES = 16_384, 64 * MIB
"""What is written together has at most; a row that is larger is by itself."""


def merge_runs(runs: Sequence[Iterator[pa.RecordBatch]]) -> Iterator[pa.Table]:
    """Merge runs of batches: each time up to where the first of their batches ends.

    Of copies text and columns are the first run's, with the places of all.
    """
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
    copies = np.diff(first, append=len(row_id))
    merged, places = table.take(pa.array(first)), table["origins"]
    origins = merged["origins"].to_pylist()
    for which in np.flatnonzero(copies > 1).tolist():
        several = places.slice(first[which], copies[which]).to_pylist()
        origins[which] = [one for some in several for one in some]
    return with_origins(merged, origins)


def with_origins(rows: pa.Table, origins: Sequence[Sequence[str]]) -> pa.Table:
    """Give rows their places, of each the first `MAX_ORIGINS`."""
    at, field = ROW_SCHEMA.get_field_index("origins"), ROW_SCHEMA.field("origins")
    column = pa.array([some[:MAX_ORIGINS] for some in origins], field.type)
    return rows.set_column(at, field, column)


def grouped(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
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
