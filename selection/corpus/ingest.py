"""From the records of a source to its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from selection.chats.formats import TEXT
from selection.corpus.faults import Faults, FaultTally
from selection.corpus.limits import ROW_MEMORY
from selection.corpus.originals import OriginalsFile
from selection.corpus.records import BadRecord, Record, UnreadPart
from selection.corpus.row_block import RowBlock
from selection.corpus.sorted_rows import SortedRows

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


@dataclass(frozen=True)
class Corpus:
    """What a source holds.

    Attributes
    ----------
    rows : Path
        Parquet, `ROW_SCHEMA`, sorted by row_id, each row_id once. Where exact duplicates collapse,
        text and columns are those of the first one read; ``origins`` lists them in reading order,
        at most `MAX_ORIGINS`.
    originals : Path
        The rows as they came (`selection.corpus.originals`).
    quarantine : pa.Table
        `QUARANTINE_SCHEMA`, in reading order; of each kind of fault at most `MAX_LISTED`.
    n_rows, n_words : int
        Rows of the file, and words in them.
    n_read : int
        Rows read: good ones, duplicates included, and those lost, as `Faults.n_rows` counts them.
    n_duplicates : int
        Good records that collapsed into an earlier one.
    formats : Mapping of str to int
        Good records by the format in which they came.
    faults : Faults
        What could not be used, by reason with the first origins.
    """

    rows: Path
    originals: Path
    quarantine: pa.Table
    n_rows: int
    n_words: int
    n_read: int
    n_duplicates: int
    formats: Mapping[str, int]
    faults: Faults


def ingest(
    read: Iterable[Record | BadRecord | RowBlock],
    *,
    source: str,
    folder: Path,
    memory: int = ROW_MEMORY,
    metadata: Mapping[str, str] | None = None,
) -> Corpus:
    """Collapse exact duplicates, set the bad rows aside and write the files of a source.

    What is read is looked at once, as a stream (wrap it to see it pass). The same rows in the same
    order give the same files, whether they come together or not. A source without a good row has
    its quarantine all the same, to be looked at.

    Parameters
    ----------
    folder : where the files are written; what an earlier attempt has left there is replaced.
    memory : bytes of rows that are held; what is more waits on disk, in the folder.
    metadata : of the rows' file.
    """
    kept = SortedRows(source, folder, memory)
    tally = FaultTally()
    formats: Counter[str] = Counter()
    as_they_came = folder / "originals.parquet"
    with OriginalsFile(as_they_came) as originals:
        for one in read:
            if isinstance(one, BadRecord):
                tally.add(one)
                continue
            if isinstance(one, RowBlock):
                formats[TEXT.name] += len(one)
                row_id, is_new = kept.keep_block(one)
                originals.keep_lines(row_id, one.lines.filter(is_new), one.renamed)
                continue
            formats[one.format] += 1
            row_id = kept.keep(one)
            if row_id is not None and one.original is not None:
                originals.keep(row_id, one.original)
    faults, n_good = tally.faults(), formats.total()
    written = kept.write(folder / "rows.parquet", metadata or {})
    return Corpus(
        rows=folder / "rows.parquet",
        originals=as_they_came,
        quarantine=quarantine_table(faults, source),
        n_rows=written.n_rows,
        n_words=written.n_words,
        n_read=n_good + faults.n_rows,
        n_duplicates=n_good - written.n_rows,
        formats=formats,
        faults=faults,
    )


def quarantine_table(faults: Faults, source: str) -> pa.Table:
    """Return what could not be used as a table, `QUARANTINE_SCHEMA`, in reading order."""
    return pa.Table.from_pylist(
        [
            {
                "source": source,
                "origin": record.origin,
                "reason": record.reason,
                "raw_sha256": record.raw_sha256,
                "unread": isinstance(record, UnreadPart),
            }
            for record in faults.listed
        ],
        schema=QUARANTINE_SCHEMA,
    )
