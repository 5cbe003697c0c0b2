"""From the records of a source to its table, or to the refusal of the source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
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


class QuarantineExceeded(ValueError):
    """More of a source is unusable than it may be.

    Attributes
    ----------
    source : str
        The source.
    share, threshold : float
        Bad rows over all rows, and what was allowed; in [0, 1].
    reasons : tuple of (str, int)
        The three commonest kinds of reason with their counts.
    quarantine : pa.Table
        All bad rows, so that a refused source can still be looked into.
    """

    def __init__(
        self,
        source: str,
        share: float,
        threshold: float,
        reasons: Sequence[tuple[str, int]],
        quarantine: pa.Table,
    ) -> None:
        listed = "; ".join(f"{kind} ({count:,})" for kind, count in reasons)
        first = quarantine.slice(0, 1).to_pylist()[0]
        super().__init__(
            f"source {source!r}: {share:.2%} of its rows are unusable, more than the "
            f"{threshold:.2%} allowed. Commonest reasons: {listed}. First: {first['origin']}: "
            f"{first['reason']}. Repair the files or the column names, or raise max_quarantined "
            "for this source."
        )
        self.source = source
        self.share = share
        self.threshold = threshold
        self.reasons = tuple(reasons)
        self.quarantine = quarantine


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


def ingest(
    records: Iterable[Record | BadRecord], *, source: str, max_quarantined: float = 0.05
) -> Corpus:
    """Collapse exact duplicates, set the bad rows aside and build the table of a source.

    The records are read once, as a stream (wrap them in tqdm to see them pass); memory grows with
    the rows kept and the bad rows listed.

    Parameters
    ----------
    records : Iterable of Record or BadRecord
        As a reader yields them.
    source : str
        The source's name.
    max_quarantined : float
        The share of bad rows, bad / (bad + good), that the source may have; in [0, 1].

    Returns
    -------
    Corpus
        The same tables for the same records in the same order.

    Raises
    ------
    QuarantineExceeded
        Too many bad rows.
    ValueError
        No good row at all, or `max_quarantined` is not a share.
    """
    if not 0 <= max_quarantined <= 1:
        raise ValueError(f"max_quarantined is {max_quarantined}; it must lie in [0, 1]")
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
    quarantine = _table(QUARANTINE_SCHEMA, _quarantine_rows(bad, source))
    n_read = len(bad) + n_good
    share = len(bad) / n_read if n_read else 0.0
    if share > max_quarantined:
        reasons = Counter(record.kind for record in bad).most_common(3)
        raise QuarantineExceeded(source, share, max_quarantined, reasons, quarantine)
    if not kept:
        raise ValueError(
            f"source {source!r}: no usable row among the {n_read:,} read; "
            "check its path, its filter and that its files are not empty"
        )
    rows = _table(ROW_SCHEMA, _rows(kept, source))
    return Corpus(rows, quarantine, n_read, n_good - len(kept))


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


def _quarantine_rows(bad: list[BadRecord], source: str) -> Iterator[dict[str, object]]:
    for record in bad:
        yield {
            "source": source,
            "origin": record.origin,
            "reason": record.reason,
            "raw_sha256": record.raw_sha256,
        }


def _table(schema: pa.Schema, rows: Iterator[dict[str, object]]) -> pa.Table:
    batches: list[pa.RecordBatch] = []
    while chunk := list(islice(rows, CHUNK_ROWS)):
        batches.append(pa.RecordBatch.from_pylist(chunk, schema=schema))
    return pa.Table.from_batches(batches, schema=schema)
