"""Read the pool's artifacts as the rows that methods work on."""

from collections.abc import Iterator, Mapping

import numpy as np

from resources.artifacts import Artifact
from selection.methods.protocol import Rows


def read_rows(corpus: Artifact, embeddings: Artifact | None) -> Rows:
    """Rows of one source; with embeddings, those rows only that have a vector."""
    table = corpus.table("rows.parquet", ["row_id", "text", "n_tokens"])
    row_id = table["row_id"].to_numpy()
    vectors = None
    if embeddings is not None:
        embedded = embeddings.table("rows.parquet")["row_id"].to_numpy()
        vectors = embeddings.array("vectors.npy")
        # Both are sorted by row id, so keeping the embedded rows keeps them aligned.
        table = table.filter(np.isin(row_id, embedded))
        row_id = table["row_id"].to_numpy()
        if not np.array_equal(row_id, embedded):
            raise ValueError(
                f"{embeddings.folder} does not belong to {corpus.folder}: materialize"
                f" {embeddings.asset}[{embeddings.partition}] again"
            )
    return Rows(
        row_id,
        table["text"].to_pylist(),
        table["n_tokens"].to_numpy(),
        vectors,
        source=corpus.partition,
    )


def iterate_sources(
    corpus: Mapping[str, Artifact], embeddings: Mapping[str, Artifact] | None = None
) -> Iterator[tuple[str, Rows]]:
    """Each source's name and rows, by name."""
    for source in sorted(corpus):
        yield source, read_rows(corpus[source], embeddings[source] if embeddings else None)


def count_rows(corpus: Mapping[str, Artifact], embeddings: Mapping[str, Artifact] | None) -> int:
    """How many rows `iterate_sources` gives, without reading them."""
    counted = corpus if embeddings is None else embeddings
    return sum(a.table("rows.parquet", ["row_id"]).num_rows for a in counted.values())


def pool_vectors(embeddings: Mapping[str, Artifact]) -> tuple[np.ndarray, np.ndarray]:
    """Row ids of shape (n,) and vectors of shape (n, d) of the whole pool, by source."""
    ids = [embeddings[s].table("rows.parquet")["row_id"].to_numpy() for s in sorted(embeddings)]
    vectors = [embeddings[source].array("vectors.npy") for source in sorted(embeddings)]
    return np.concatenate(ids), np.concatenate(vectors)
