"""From the records of a source to its tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import NamedTuple

import pyarrow as pa

from selection.basics.text import count_words, row_id
from selection.corpus.records import BadRecord, Record

ROW_SCHEMA = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("prompt", pa.string()),
        pa.field("response", pa.string()),
        pa.field("licence", pa.string()),
        pa.field("label", pa.string()),
        pa.field("n_words", pa.int32(), nullable=False),
        pa.field("origins", pa.list_(pa.string()), nullable=False),
    ]
)
QUARANTINE_SCHEMA = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("raw_sha256", pa.string(), nullable=False),
    ]
)
# Rows are put into Arrow by chunks, so that no 32-bit offset of a string column can overflow
# and the Python copies of a chunk are short-lived.
CHUNK_ROWS = 4096


@dataclass(frozen=True)
class Corpus:
    """A source's rows.

    Attributes
    ----------
    rows : pa.Table
        `ROW_SCHEMA`, sorted by row_id, each row_id once. Where exact duplicates collapse, text
        and columns are those of the first one read; ``origins`` lists all in reading order.
    quarantine : pa.Table
        `QUARANTINE_SCHEMA`, in reading order.
    n_read : int
        Records read: good ones, duplicates included, and bad ones.
    n_duplicates : int
        Good records that collapsed into an earlier one.
    """

    rows: pa.Table
    quarantine: pa.Table
    n_read: int
    n_duplicates: int


class _Kept(NamedTuple):
    record: Record
    n_words: int
    origins: list[str]


def ingest(records: Iterable[Record | BadRecord], *, source: str) -> Corpus:
    """Collapse exact duplicates, set the bad rows aside and build the table of a source.

    The records are read once, as a stream (wrap them in tqdm to see them pass); memory grows with
    the rows kept and the bad rows listed. The same records in the same order give the same tables.
    A source without a good row has its quarantine all the same, to be looked at.
    """
    kept: dict[str, _Kept] = {}
    bad: list[BadRecord] = []
    n_good = 0
    for record in records:
        if isinstance(record, BadRecord):
            bad.append(record)
            continue
        n_good += 1
        key = row_id(record.text)
        if key in kept:
            kept[key].origins.append(record.origin)
        else:
            kept[key] = _Kept(record, count_words(record.text), [record.origin])
    quarantine = _table(QUARANTINE_SCHEMA, ({"source": source, **asdict(record)} for record in bad))
    rows = _table(ROW_SCHEMA, _rows(kept, source))
    return Corpus(rows, quarantine, len(bad) + n_good, n_good - len(kept))


def _rows(kept: dict[str, _Kept], source: str) -> Iterator[dict[str, object]]:
    for key in sorted(kept):
        record, n_words, origins = kept[key]
        yield {
            "row_id": key,
            "source": source,
            "text": record.text,
            "prompt": record.prompt,
            "response": record.response,
            "licence": record.licence,
            "label": record.label,
            "n_words": n_words,
            "origins": origins,
        }


def _table(schema: pa.Schema, rows: Iterator[dict[str, object]]) -> pa.Table:
    batches: list[pa.RecordBatch] = []
    while chunk := list(islice(rows, CHUNK_ROWS)):
        batches.append(pa.RecordBatch.from_pylist(chunk, schema=schema))
    return pa.Table.from_batches(batches, schema=schema)
