"""A few real texts for the methods' tests; generated ones where the data is not at hand."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow.parquet as pq
import pytest
from places import SHARED

from selection.basics.text import row_id
from selection.methods.contract.values import Rows

_DATA = SHARED / "data"
_TOPICS = {
    "biology": ["the", "cell", "of", "gene", "protein", "receptor", "mutation", "tissue", "dose"],
    "law": ["the", "court", "of", "ruling", "appeal", "statute", "judge", "tenant", "contract"],
    "trade": ["the", "market", "of", "price", "share", "index", "profit", "bank", "investor"],
}


def rows_of(texts: list[str], source: str = "") -> Rows:
    """Rows as the corpus makes them: named by the hash of their text."""
    return Rows(
        np.array([row_id(text) for text in texts]),
        texts,
        np.array([len(text.split()) for text in texts], dtype=np.int64),
        source=source,
    )


@cache
def real_texts(name: str, column: str, n: int) -> dict[str, list[str]]:
    """Up to n texts of each value of a column; the test is skipped where the file is absent."""
    file = _DATA / f"{name}.parquet"
    if not file.is_file():
        pytest.skip(f"{name}.parquet of the shared data is not at hand")
    found: dict[str, list[str]] = {}
    table = pq.read_table(file, columns=[column, "text"])
    for row in table.to_pylist():
        texts = found.setdefault(row[column], [])
        if len(texts) < n and row["text"] not in texts:
            texts.append(row["text"])
    return found


def generated_texts(n: int, seed: int = 0) -> dict[str, list[str]]:
    """Give n texts of each of three topics, which share their function words."""
    rng = np.random.default_rng(seed)
    return {
        topic: [f"{' '.join(rng.choice(words, size=rng.integers(4, 30)))}, {i}." for i in range(n)]
        for topic, words in _TOPICS.items()
    }
