"""The rows that an arm did not select, as they came, with the reason."""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from resources.store.artifacts import Artifact
from selection.basics.tables import rows_where
from selection.corpus.originals import read_originals
from selection.subset.fates import SELECTED
from selection_assets.shared.choosing.fates import with_row_ids
from selection_assets.shared.pool_rows import whole_text

REJECTED_SCHEMA = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("format", pa.string(), nullable=False),
        pa.field("licence", pa.string()),
        pa.field("n_tokens", pa.int64(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
        pa.field("rank", pa.int64(), nullable=False),
        pa.field("margin", pa.float64(), nullable=False),
        pa.field("fate", pa.string(), nullable=False),
        pa.field("duplicate_of", pa.string()),
        # As it came, a line of JSON; null of a bare text, which `text` has.
        pa.field("row", pa.large_string()),
        pa.field("text", pa.large_string(), nullable=False),
    ]
)
OF_A_SCORE = ["row_id", "score", "draw"]
BATCH = 1024


def write_rejected(
    path: Path,
    subset: Artifact,
    corpus: Mapping[str, Artifact],
    scores: Mapping[str, Artifact],
    draw: int,
) -> int:
    """Write `REJECTED_SCHEMA` of all candidates that were not selected; returns how many.

    In memory are the tables of one source, and of its rows as they came no more than a batch.

    Parameters
    ----------
    corpus, scores : by source, those that the subset was made from.
    """
    fates = rows_where(subset.table("fates.parquet"), "draw", draw)
    counted = 0
    with pq.ParquetWriter(path, REJECTED_SCHEMA, compression="zstd") as writer:
        for source in sorted(set(fates["source"].to_pylist())):
            of_source = with_row_ids(rows_where(fates, "source", source), corpus).to_pylist()
            scored = rows_where(scores[source].table("scores.parquet", OF_A_SCORE), "draw", draw)
            score = dict(zip(*(scored[name].to_pylist() for name in OF_A_SCORE[:2]), strict=True))
            told = {
                row["row_id"]: row | {"score": score[row["row_id"]]}
                for row in of_source
                if row["fate"] != SELECTED
            }
            rows = _rejected(corpus[source], told)
            while batch := list(islice(rows, BATCH)):
                writer.write_table(pa.Table.from_pylist(batch, schema=REJECTED_SCHEMA))
                counted += len(batch)
    return counted


def _rejected(corpus: Artifact, told: Mapping[str, dict]) -> Iterator[dict]:
    """Rows of a source: those with columns in the order in which they were read, then texts."""
    names = ["row_id", "origins", "licence", "format", "text", "turns"]
    table = corpus.table("rows.parquet", names).to_pylist()
    left = {row["row_id"]: _row(row, told[row["row_id"]]) for row in table if row["row_id"] in told}
    for row_id, original in read_originals(corpus.path("originals.parquet"), told):
        yield left.pop(row_id) | {"row": original.line}
    yield from left.values()


def _row(row: dict, fate: dict) -> dict:
    said = {**fate, **row, "origin": row["origins"][0], "row": None}
    said["text"] = whole_text(row["text"], row["turns"])
    said["duplicate_of"] = fate["duplicate_of"] or None
    return {name: said[name] for name in REJECTED_SCHEMA.names}
