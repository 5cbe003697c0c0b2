"""How much memory will reading, embedding and selecting take at most?"""

from collections.abc import Mapping

import pyarrow.parquet as pq

from resources.ledger.ledger import Ledger
from resources.store.artifacts import Artifact
from selection.config.study import Study
from selection_assets.planning.current import current_plan
from selection_assets.stage.keys import pool_key

BASE = 0.9e9
"""Bytes of a process that has Dagster, Arrow and torch, and has done nothing yet."""

COPIES = 4.0
"""Of a source's texts: as read, in Arrow, as Python's and in the tables that are written."""

PER_ROW = 700.0
"""Bytes of a row of the pool beside its text and vector: ids, scores and fates of one arm."""


def memory_line(study: Study, ledger: Ledger) -> str:
    """One line: about how much memory selecting takes, once the pool is read."""
    corpus = ledger.current_versions(pool_key(study.pool, "raw_corpus").to_user_string())
    size = current_plan(study, ledger)["pool"]
    gigabytes = peak_bytes(text_bytes(corpus), rows=size["rows"], width=size["width"]) / 1e9
    return f"memory: about {gigabytes:.1f} GB at most"


def peak_bytes(texts: Mapping[str, int], *, rows: int, width: int) -> float:
    """Bytes at the peak, when the largest source is read or the subset is chosen.

    Parameters
    ----------
    texts : source to the bytes of its texts.
    rows, width : of the pool, and of its vectors.
    """
    reading = COPIES * max(texts.values(), default=0)
    choosing = sum(texts.values()) + rows * (PER_ROW + 4.0 * width)
    return BASE + max(reading, choosing)


def text_bytes(corpus: Mapping[str, Artifact]) -> dict[str, int]:
    """Bytes of the texts of each source, by what the files say of themselves."""
    found = {}
    for source, artifact in corpus.items():
        file = pq.ParquetFile(artifact.path("rows.parquet"))
        column = file.schema_arrow.names.index("text")
        groups = (file.metadata.row_group(g) for g in range(file.metadata.num_row_groups))
        found[source] = sum(group.column(column).total_uncompressed_size for group in groups)
    return found
