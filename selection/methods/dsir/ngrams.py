"""Hashed n-grams: how often words, and pairs of neighbouring words, of each bucket occur in a row.

As in DSIR (Xie et al., arXiv 2302.03169, section 3): lower-cased words and runs of punctuation,
single ones and pairs, hashed into a fixed number of buckets. Where a script puts no space between
words, these are single characters and pairs of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import xxhash
from pydantic import Field

from selection.basics.text import normalise
from selection.basics.words import tokens
from selection.methods.contract.blocks import prepare_in_blocks
from selection.methods.contract.options import MethodOptions
from selection.methods.contract.preparation import (
    Files,
    Preparation,
    Prepared,
    PrepareInputs,
)
from selection.methods.contract.values import Rows

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_BLOCK_ROWS = 8192


class NgramOptions(MethodOptions):
    """Options of the counts; those of a method that reads them add to these."""

    buckets: int = Field(
        default=10_000,
        ge=2,
        le=100_000_000,
        description="number of buckets n-grams are hashed into",
    )


def ngrams(text: str) -> list[str]:
    """Give the words of a text and its pairs of neighbouring words, with repetitions."""
    # Normalised, since texts with one row id may differ in how they write an accent.
    words = tokens(normalise(text).lower())
    # A word holds no white space: no pair reads like a word.
    return words + [f"{one} {other}" for one, other in pairwise(words)]


def bucket(ngram: str, buckets: int) -> int:
    """Give the n-gram's bucket: the same on every machine, unlike Python's own hash."""
    return xxhash.xxh3_64_intdigest(ngram.encode()) % buckets


def count_ngrams(texts: Sequence[str], buckets: int) -> csr_array:
    """Count the n-grams of each text by bucket.

    Returns
    -------
    csr_array of shape (n, buckets), int32
        Columns ascend in each row.
    """
    from scipy.sparse import csr_array

    indices: list[int] = []
    counts: list[int] = []
    indptr = np.zeros(len(texts) + 1, dtype=np.int64)
    for i, text in enumerate(texts):
        of_text = Counter(bucket(ngram, buckets) for ngram in ngrams(text))
        filled = sorted(of_text)
        indices += filled
        counts += [of_text[one] for one in filled]
        indptr[i + 1] = len(indices)
    return csr_array(
        (np.array(counts, dtype=np.int32), np.array(indices, dtype=np.int32), indptr),
        shape=(len(texts), buckets),
    )


class NgramCounts(Preparation):
    """Hashed n-gram counts of each row, source by source."""

    asset: str = "ngram_counts"
    shared: bool = True
    by_source: bool = True
    reads: tuple[str, ...] = ("buckets",)

    def prepare(self, inputs: PrepareInputs[NgramOptions]) -> Prepared:
        """Count the n-grams of every row.

        Returns
        -------
        Prepared
            indices.npy and counts.npy, compressed rows (int32); row_lengths.npy, the number of
            filled buckets of each (int32); buckets.json, how many there are.
        """
        buckets = inputs.options.buckets
        done = prepare_in_blocks(
            self, inputs, lambda rows, _: _arrays_of(rows, buckets), block_rows=_BLOCK_ROWS
        )
        files = {f"{name}.npy": array for name, array in done.arrays.items()}
        return Prepared(
            {**files, "buckets.json": buckets},
            rows=len(done.arrays["row_lengths"]),
            facts={"ngrams": int(done.arrays["counts"].sum()), "buckets": buckets},
        )

    def features(self, files: Files) -> csr_array:
        """Give the counts, of shape (n, buckets), int32."""
        from scipy.sparse import csr_array

        lengths, buckets = files.array("row_lengths.npy"), files.json("buckets.json")
        indptr = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        found = files.array("counts.npy"), files.array("indices.npy"), indptr
        return csr_array(found, shape=(len(lengths), buckets))


def _arrays_of(rows: Rows, buckets: int) -> dict[str, np.ndarray]:
    found = count_ngrams(rows.text, buckets)
    return {
        "indices": found.indices.astype(np.int32),
        "counts": found.data,
        "row_lengths": np.diff(found.indptr).astype(np.int32),
    }
