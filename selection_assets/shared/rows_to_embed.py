"""Which rows of a source have no vector of this embedder yet?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from resources.store.artifacts import Artifact
from selection.embedding.embedder import Embedder
from selection_assets.shared.embedders import load_on
from selection_assets.shared.made_before import MadeBefore, not_made, rows_made
from selection_assets.shared.pool_rows import part_looked_at, sizes_looked_at
from selection_assets.shared.stored_texts import RowGroups, StoredTexts
from selection_assets.stage.step import Step


@dataclass(frozen=True)
class RowsToEmbed:
    """What there is to embed of a source, read once.

    Attributes
    ----------
    model : the embedder, loaded once for all sources of a run.
    made_by : what its vectors depend on.
    row_id : of n rows.
    known : vectors that earlier artifacts have of some of them.
    new : int64, places of the others; `new_texts` are their texts, and `new_sizes` about how long.
    """

    model: Embedder
    made_by: dict[str, str]
    row_id: pa.ChunkedArray
    known: Sequence[MadeBefore]
    new: np.ndarray
    new_texts: StoredTexts
    new_sizes: np.ndarray

    @classmethod
    def find(cls, step: Step, before: Iterable[Artifact]) -> "RowsToEmbed":
        """Look through what the embedder has made before for vectors of these rows."""
        corpus = step.one("raw_corpus")
        row_id = corpus.table("rows.parquet", ["row_id"])["row_id"]
        embedder = step.one("embedder")
        model = step.once("embedder", lambda: load_on(step.device, embedder))
        # Vectors of one model in another precision are other vectors.
        made_by = {"version": embedder.version, "precision": model.precision}
        # A row keeps its id whatever part of it is looked at.
        if (part := part_looked_at(corpus)) != "all":
            made_by["looked_at"] = part
        known = rows_made(step, made_by, "embedder.json").made_before(row_id, before)
        new = not_made(len(row_id), known)
        texts = StoredTexts(RowGroups(corpus.path("rows.parquet"), ["text"]), new)
        return cls(model, made_by, row_id, known, new, texts, sizes_looked_at(corpus)[new])
