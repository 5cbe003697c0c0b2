"""The table of a source's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
        name: [getattr(one, name) for one in records]
        for name in ("prompt", "response", "turns", "format", "licence", "label")
    }
    said["text"] = [one.text if one.looked_at is None else one.looked_at for one in records]
    said["n_words"] = [count_words(one.text) for one in records]
    return _rows(source, ids, [one.origin for one in records], said)


def rows_of_block(source: str, ids: Sequence[str], block: RowBlock) -> pa.RecordBatch:
    """Return rows that were read together, as one by one they would be."""
    n = len(block)
    said: dict[str, Sequence[object]] = {
        "text": block.text,
        "format": [TEXT.name] * n,
        "licence": block.licence or [None] * n,
        "label": block.label or [None] * n,
        "n_words": [count_words(text) for text in block.text],
    }
    return _rows(source, ids, [block.origin(row) for row in range(n)], said)


def _rows(
    source: str, ids: Sequence[str], origin: Sequence[str], said: Mapping[str, Sequence[object]]
) -> pa.RecordBatch:
    """Return rows of which columns that are not said are null."""
    n = len(ids)
    offsets = pa.array(np.arange(n + 1, dtype=np.int32))
    own = {
        "row_id": pa.array(ids, pa.string()),
        "source": pa.array([source] * n, pa.string()),
        "origins": pa.ListArray.from_arrays(offsets, pa.array(origin, pa.string())),
    }
    others = {
        field.name: pa.array(said[field.name], field.type)
        if field.name in said
        else pa.nulls(n, field.type)
        for field in ROW_SCHEMA
        if field.name not in own
    }
    columns = own | others
    return pa.record_batch([columns[name] for name in ROW_SCHEMA.names], schema=ROW_SCHEMA)
