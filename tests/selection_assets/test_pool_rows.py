"""What methods get of a pool's rows: those that have vectors."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from resources.ledger.ledger import open_ledger
from resources.store.artifacts import Artifact
from selection_assets.shared.pool_rows import read_rows

N = 200_000


def published(root: Path, name: str, files: dict) -> Artifact:
    store = open_ledger(root).store
    staged = store.stage(files)
    with store.publishing():
        folder = store.publish(staged, name, "all")
    return Artifact(name, "all", staged.version, folder, "")


def corpus_of(ids: list[str]) -> dict:
    words = [1] * len(ids)
    return {"rows.parquet": pa.table({"row_id": ids, "text": ids, "n_words": words})}


def vectors_of(ids: list[str]) -> dict:
    vectors = np.arange(len(ids), dtype=np.float16)[:, None]
    return {"rows.parquet": pa.table({"row_id": ids}), "vectors.npy": vectors}


def test_the_rows_of_a_large_source_are_those_that_have_vectors(tmp_path):
    """A test of its end: as Python's strings, so many ids take minutes to compare."""
    ids = sorted(hashlib.sha256(str(number).encode()).hexdigest()[:32] for number in range(N))
    kept = ids[::2]
    corpus = published(tmp_path, "pool/raw_corpus", corpus_of(ids))
    rows = read_rows(corpus, published(tmp_path, "pool/vectors", vectors_of(kept)))
    assert rows.row_id.to_pylist() == kept and list(rows.text[:3]) == kept[:3]
    assert rows.embeddings is not None and len(rows.embeddings) == len(kept)


@pytest.mark.parametrize("ids", [["a", "c", "x"], ["c", "a"], ["a", "a"]])
def test_vectors_of_other_rows_are_refused(tmp_path, ids):
    corpus = published(tmp_path, "pool/raw_corpus", corpus_of(["a", "b", "c"]))
    with pytest.raises(ValueError, match=r"does not belong to .*materialize pool/vectors"):
        read_rows(corpus, published(tmp_path, "pool/vectors", vectors_of(ids)))
