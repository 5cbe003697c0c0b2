"""What became of the rows of a pool, and which rows they are."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from resources.store.artifacts import Artifact

FATES = pa.schema(
    [
        pa.field("draw", pa.int16(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("place", pa.int32(), nullable=False),
        pa.field("n_tokens", pa.int32(), nullable=False),
        pa.field("rank", pa.int32(), nullable=False),
        pa.field("margin", pa.float32(), nullable=False),
        pa.field("fate", pa.string(), nullable=False),
        pa.field("duplicate_of", pa.string(), nullable=False),
        pa.field("leak", pa.string(), nullable=False),
        pa.field("leak_of", pa.string(), nullable=False),
    ]
)
"""Of a candidate; nearly all are below the cut-off, and such a one takes a few bytes. So it is told
by the place in its source's rows and not by its id, and its score is the margin and the cut-off, or
in the method's scores."""


def tells_places(subset: Artifact) -> bool:
    """Whether its fates are `FATES`: earlier versions of this program have told ids."""
    return "place" in pq.read_schema(subset.path("fates.parquet")).names


def with_row_ids(fates: pa.Table, corpus: Mapping[str, Artifact]) -> pa.Table:
    """Put the ids of rows in front of their fates.

    Parameters
    ----------
    corpus : by source the very rows that the subset was selected from.
    """
    source, place = fates["source"].to_numpy(), fates["place"].to_numpy()
    row_id = np.empty(len(place), dtype=object)
    for each in np.unique(source):
        of_source = np.flatnonzero(source == each)
        ids = corpus[each].table("rows.parquet", ["row_id"])["row_id"]
        row_id[of_source] = ids.take(pa.array(place[of_source])).to_numpy()
    return fates.add_column(0, "row_id", pa.array(row_id, pa.string()))
