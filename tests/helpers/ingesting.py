"""A source read as `raw_corpus` reads it, with its rows at hand."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from selection.corpus.ingest import Corpus, ingest
from selection.corpus.limits import ROW_MEMORY
from selection.corpus.originals import Original, read_originals
from selection.corpus.records import BadRecord, Record


@dataclasses.dataclass(frozen=True)
class Ingested(Corpus):
    """A corpus whose files are read: they are gone when this is returned.

    Attributes
    ----------
    table : of the rows.
    as_they_came : row id to the row.
    file : the bytes of the rows' file.
    """

    table: pa.Table
    as_they_came: dict[str, Original]
    file: bytes


def ingested(
    records: Iterable[Record | BadRecord], source: str = "s", memory: int = ROW_MEMORY
) -> Ingested:
    """Read records into files and these again."""
    with TemporaryDirectory() as folder:
        corpus = ingest(records, source=source, folder=Path(folder), memory=memory)
        assert sorted(Path(folder).iterdir()) == [corpus.originals, corpus.rows]
        table = pq.read_table(corpus.rows)
        known = {field.name: getattr(corpus, field.name) for field in dataclasses.fields(corpus)}
        return Ingested(
            **known,
            table=table,
            as_they_came=dict(read_originals(corpus.originals, table["row_id"].to_pylist())),
            file=corpus.rows.read_bytes(),
        )
