"""From the records of a source to its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from selection.basics.words import count_words
from selection.corpus.faults import Faults, FaultTally
from selection.corpus.limits import MAX_ORIGINS, ROW_MEMORY
from selection.corpus.memory import Memory
from selection.corpus.originals import OriginalsFile
from selection.corpus.records import BadRecord, Record, UnreadPart

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
QUARANTINE_SCHEMA = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("raw_sha256", pa.string(), nullable=False),
        # Whether rows are missing from there on, instead of one being bad.
        pa.field("unread", pa.bool_(), nullable=False),
    ]
)
# Rows are put into Arrow by chunks, so that no 32-bit offset of a string column can overflow
# and the Python copies of a chunk are short-lived.
CHUNK_ROWS = 4096
CHUNK_CHARS = 256 * 2**20


@dataclass(frozen=True)
class Corpus:
    """A source's rows.

    Attributes
    ----------
    rows : pa.Table
        `ROW_SCHEMA`, sorted by row_id, each row_id once. Where exact duplicates collapse, text
        and columns are those of the first one read; ``origins`` lists them in reading order, at
        most `MAX_ORIGINS`.
    quarantine : pa.Table
        `QUARANTINE_SCHEMA`, in reading order; of each kind of fault at most `MAX_LISTED`.
    n_read : int
        Rows read: good ones, duplicates included, and those lost, as `Faults.n_rows` counts them.
    n_duplicates : int
        Good records that collapsed into an earlier one.
    formats : Mapping of str to int
        Good records by the format in which they came.
    faults : Faults
        What could not be used, by reason with the first origins.
    """

    rows: pa.Table
    quarantine: pa.Table
    n_read: int
    n_duplicates: int
    formats: Mapping[str, int]
    faults: Faults


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


def ingest(
    records: Iterable[Record | BadRecord],
    *,
    source: str,
    memory: int = ROW_MEMORY,
    originals: OriginalsFile | None = None,
) -> Corpus:
    """Collapse exact duplicates, set the bad rows aside and build the table of a source.

    The records are read once, as a stream (wrap them in tqdm to see them pass); memory grows with
    the rows kept. The same records in the same order give the same tables. A source without a good
    row has its quarantine all the same, to be looked at.

    Parameters
    ----------
    memory : bytes that the rows kept may take.
    originals : takes the rows as they came, of duplicates the first; they are not kept in memory.

    Raises
    ------
    ValueError
        The rows take more memory.
    """
    kept: dict[str, _Kept] = {}
    remedy = "split it into several sources, or raise `memory_mib` of the pool"
    tally, taken = FaultTally(), Memory(f"source {source!r}", remedy, memory)
    formats: Counter[str] = Counter()
    for record in records:
        if isinstance(record, BadRecord):
            tally.add(record)
            continue
        formats[record.format] += 1
        key = record.row_id
        if key not in kept:
            if record.original is not None and originals is not None:
                originals.keep(key, record.original)
            taken.keep(record)
            kept[key] = _kept(record)
        elif len(kept[key].origins) < MAX_ORIGINS:
            taken.keep_origin(record.origin)
            kept[key].origins.append(record.origin)
    faults, n_kept, n_good = tally.faults(), len(kept), formats.total()
    rows = _table(ROW_SCHEMA, _rows(kept, source))
    quarantine = quarantine_table(faults, source)
    n_duplicates = n_good - n_kept
    return Corpus(rows, quarantine, n_good + faults.n_rows, n_duplicates, formats, faults)


def quarantine_table(faults: Faults, source: str) -> pa.Table:
    """Return what could not be used as a table, `QUARANTINE_SCHEMA`, in reading order."""
    rows: Iterator[dict[str, object]] = (
        {
            "source": source,
            "origin": record.origin,
            "reason": record.reason,
            "raw_sha256": record.raw_sha256,
            "unread": isinstance(record, UnreadPart),
        }
        for record in faults.listed
    )
    return _table(QUARANTINE_SCHEMA, rows)


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


def _rows(kept: dict[str, _Kept], source: str) -> Iterator[dict[str, object]]:
    for key in sorted(kept):
        # Popped, so that no row is there twice.
        yield {"row_id": key, "source": source, **kept.pop(key)._asdict()}


def _table(schema: pa.Schema, rows: Iterable[Mapping[str, object]]) -> pa.Table:
    batches: list[pa.RecordBatch] = []
    chunk: list[Mapping[str, object]] = []
    chars = 0
    for row in rows:
        chunk.append(row)
        chars += sum(len(value) for value in row.values() if isinstance(value, str))
        if len(chunk) == CHUNK_ROWS or chars > CHUNK_CHARS:
            batches.append(pa.RecordBatch.from_pylist(chunk, schema=schema))
            chunk, chars = [], 0
    if chunk:
        batches.append(pa.RecordBatch.from_pylist(chunk, schema=schema))
    return pa.Table.from_batches(batches, schema=schema)
