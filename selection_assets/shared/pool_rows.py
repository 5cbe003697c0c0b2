"""Read the pool's artifacts as the rows that methods work on."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from resources.store.artifacts import Artifact
from selection.basics.tables import places_of
from selection.basics.vectors import StackedVectors
from selection.chats.conversation import Conversation
from selection.methods.contract.values import Rows
from selection_assets.shared.stored_rows import StoredRows
from selection_assets.shared.stored_texts import Places, RowGroups, StoredTexts

LOOKED_AT = "looked_at"
"""Under which a pool's rows say what part of a conversation their texts are."""


def part_looked_at(corpus: Artifact) -> str:
    """Return what part of a conversation the texts of a source are: `all` of it, mostly."""
    said = pq.read_schema(corpus.path("rows.parquet")).metadata or {}
    return said.get(LOOKED_AT.encode(), b"all").decode()


def sizes_looked_at(corpus: Artifact) -> np.ndarray:
    """About how long the texts of a source are that selection looks at, of shape (n,)."""
    n_words = corpus.table("rows.parquet", ["n_words"])["n_words"].to_numpy()
    # Words are counted of all of a row, and say little of a part.
    return n_words if part_looked_at(corpus) == "all" else np.ones(len(n_words))


def whole_text(text: str, turns: str | None) -> str:
    """All of a row: of a conversation selection may look at a part."""
    return text if turns is None else Conversation.from_json(turns).text


def whole_texts(table: pa.Table) -> list[str]:
    """Return what rows are trained on, from their `text` and `turns`: all of a conversation."""
    pairs = zip(table["text"].to_pylist(), table["turns"].to_pylist(), strict=True)
    return [whole_text(text, turns) for text, turns in pairs]


def stored_whole_texts(corpus: Artifact) -> StoredTexts:
    """All of each row's text of one source, as it is trained on."""
    file = corpus.path("rows.parquet")
    if part_looked_at(corpus) == "all":
        return StoredTexts(RowGroups(file, ["text"]))
    return StoredTexts(RowGroups(file, ["text", "turns"], whole_texts))


def read_whole_rows(corpus: Artifact) -> StoredRows:
    """Rows of one source with all of their text, as they are trained on."""
    table = corpus.table("rows.parquet", ["row_id", "n_words"])
    n_words = table["n_words"].to_numpy()
    return StoredRows(table["row_id"], stored_whole_texts(corpus), n_words, source=corpus.partition)


def iterate_whole_pieces(corpus: Mapping[str, Artifact]) -> Iterator[Rows]:
    """Whole rows of every source, by its name, piece by piece."""
    for source in sorted(corpus):
        yield from read_whole_rows(corpus[source]).pieces()


def read_rows(
    corpus: Artifact, embeddings: Artifact | None = None, features: Any = None
) -> StoredRows:
    """Rows of one source as selection looks at them; with embeddings, only those with a vector.

    Parameters
    ----------
    features : what a method's preparation has computed of each row.
    """
    table = corpus.table("rows.parquet", ["row_id", "n_words"])
    vectors: np.ndarray | None = None
    places: Places = range(table.num_rows)
    if embeddings is not None:
        embedded = embeddings.table("rows.parquet", ["row_id"])["row_id"]
        vectors = embeddings.array("vectors.npy")
        if not table["row_id"].equals(embedded):  # some have no vector
            # Both are sorted by row id, so keeping the embedded rows keeps them aligned.
            places = np.flatnonzero(places_of(table["row_id"], embedded) >= 0)
            table = table.take(pa.array(places))
        if not table["row_id"].equals(embedded):
            raise ValueError(
                f"{embeddings.folder} does not belong to {corpus.folder}: materialize"
                f" {embeddings.asset}[{embeddings.partition}] again"
            )
    if features is not None and features.shape[0] != table.num_rows:
        raise ValueError(
            f"there are features of {features.shape[0]} rows of {corpus.folder}, which has"
            f" {table.num_rows}: materialize them again"
        )
    texts = StoredTexts(RowGroups(corpus.path("rows.parquet"), ["text"]), places)
    n_words = table["n_words"].to_numpy()
    return StoredRows(table["row_id"], texts, n_words, vectors, corpus.partition, features)


def iterate_sources(
    corpus: Mapping[str, Artifact],
    embeddings: Mapping[str, Artifact] | None = None,
    features: Mapping[str, Any] | None = None,
) -> Iterator[tuple[str, StoredRows]]:
    """Each source's name and rows, by name."""
    for source in sorted(corpus):
        of_source = embeddings[source] if embeddings else None
        computed = features[source] if features else None
        yield source, read_rows(corpus[source], of_source, computed)


def iterate_texts(corpus: Mapping[str, Artifact]) -> Iterator[str]:
    """Texts of all rows as selection looks at them, source by source."""
    return (text for _, rows in iterate_sources(corpus) for text in rows.text)


def count_rows(corpus: Mapping[str, Artifact], embeddings: Mapping[str, Artifact] | None) -> int:
    """How many rows `iterate_sources` gives, without reading them."""
    counted = corpus if embeddings is None else embeddings
    return sum(artifact.n_rows("rows.parquet") for artifact in counted.values())


def pool_vectors(embeddings: Mapping[str, Artifact]) -> tuple[pa.ChunkedArray, StackedVectors]:
    """Row ids and vectors of the whole pool, by source."""
    of_sources = [embeddings[source] for source in sorted(embeddings)]
    ids = pa.concat_tables([one.table("rows.parquet", ["row_id"]) for one in of_sources])
    return ids["row_id"], StackedVectors([one.array("vectors.npy") for one in of_sources])
