"""The table of a source's rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from selection.basics.words import count_words
from selection.chats.formats import TEXT
from selection.corpus.records import Record
from selection.corpus.row_block import RowBlock

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


def rows_of_records(source: str, ids: Sequence[str], records: Sequence[Record]) -> pa.RecordBatch:
    """Return records as rows, each with its one origin."""
    said: dict[str, Sequence[object]] = {
        "row_id": ids,
        "source": [source] * len(ids),
        "text": [one.text if one.looked_at is None else one.looked_at for one in records],
        "n_words": [count_words(one.text) for one in records],
        "origins": [[one.origin] for one in records],
    }
    for name in ("prompt", "response", "turns", "format", "licence", "label"):
        said[name] = [getattr(one, name) for one in records]
    return pa.record_batch(
        [pa.array(said[field.name], field.type) for field in ROW_SCHEMA], schema=ROW_SCHEMA
    )


def rows_of_block(source: str, ids: Sequence[str], block: RowBlock) -> pa.RecordBatch:
    """Return rows that were read together, as one by one they would be."""
    n = len(block)
    said: dict[str, Sequence[object]] = {
        "row_id": ids,
        "source": [source] * n,
        "text": block.text,
        "format": [TEXT.name] * n,
        "licence": block.licence or (),
        "label": block.label or (),
        "n_words": [count_words(text) for text in block.text],
    }
    origins = pa.array([block.origin(row) for row in range(n)], pa.string())
    columns = [
        pa.array(said[field.name], field.type) if said.get(field.name) else pa.nulls(n, field.type)
        for field in ROW_SCHEMA
        if field.name != "origins"
    ]
    offsets = pa.array(np.arange(n + 1, dtype=np.int32))
    columns.append(pa.ListArray.from_arrays(offsets, origins))
    return pa.record_batch(columns, schema=ROW_SCHEMA)
