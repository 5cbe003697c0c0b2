"""BM25: rows that share rare words with the target's rows.

The target's rows are the queries and the pool's rows the documents, each with its whole text; a
row's score is the mean of BM25(query, row) over the target. A BM25 score is a sum over the words
of the query, so that the mean over the target is one sparse product: the row's weights times how
often a row of the target uses each word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from selection.methods.bm25.index import Bm25Index, Bm25Options, terms_of
from selection.methods.contract.common import prepared_by
from selection.methods.contract.cost import CostInputs, Held
from selection.methods.contract.known_terms import (
    insist,
    known_share,
    refusal_at,
    refusal_by_words,
)
from selection.methods.contract.preparation import Files, Preparation
from selection.methods.contract.protocol import FitInputs, Fitted, Method, ScoreInputs, Scores

if TYPE_CHECKING:
    import pyarrow as pa
    from scipy.sparse import csr_array

INDEX = Bm25Index()
_TOP_TERMS = 5
_BYTES_OF_A_ROW = 250.0


class Bm25Method(Method[Bm25Options]):
    """Mean BM25 over the target, with the words that made it as receipt."""

    name: str = "bm25"
    receipts: frozenset[str] = frozenset({"top_terms"})
    options: type[Bm25Options] = Bm25Options

    def refusal(self, target: Sequence[str], pool: Iterable[str], options: Bm25Options) -> str:
        """Refuse a target of whose words the pool has next to none; stop words are none."""
        return refusal_by_words(
            target, pool, lambda texts: chain.from_iterable(terms_of(texts, options))
        )

    def preparations(self, options: Bm25Options) -> tuple[Preparation, ...]:
        """The index of the whole pool, which every target of it shares."""
        return (INDEX,)

    def fit(self, inputs: FitInputs[Bm25Options]) -> Fitted:
        """Average the target's word counts over its rows.

        Returns
        -------
        Fitted
            array query_weight of shape (n_terms,), float64: mean occurrences of each word of the
            index in a row of the target; the fact known_words is the share of the target's words
            that the pool has at all, numbers apart.

        Raises
        ------
        ValueError
            When the target has no rows, or the pool next to none of its words.
        """
        options = inputs.options
        n_target = len(inputs.target.text)
        if n_target == 0:
            raise ValueError("the target has no rows and BM25 needs queries; give it at least 1")
        vocabulary = prepared_by(INDEX.asset, inputs.prepared, self.name).json("vocabulary.json")
        number = {term: i for i, term in enumerate(vocabulary)}
        queries = terms_of(inputs.target.text, options)
        words = Counter(word for query in queries for word in query)
        share = known_share(words, number)
        insist(self.name, refusal_at(share))
        counts = np.zeros(len(number), dtype=np.int64)
        for word in words.keys() & number.keys():
            counts[number[word]] = words[word]
        return Fitted(
            {"query_weight": counts / n_target}, {"n_target": n_target, "known_words": share}
        )

    def score(self, fitted: Fitted, inputs: ScoreInputs[Bm25Options]) -> Scores:
        """Score of shape (1, n); receipt top_terms, the words that gave the largest parts of it.

        Raises
        ------
        ValueError
            When a row is not in the index.
        """
        files = prepared_by(INDEX.asset, inputs.prepared, self.name)
        vocabulary = files.json("vocabulary.json")
        parts = _weights(files, len(vocabulary), inputs.rows.row_id)
        parts.data = parts.data * fitted.arrays["query_weight"][parts.indices]
        # A row of a sparse matrix is summed by itself and in the order of its words, which the
        # index sorts: the sum is the same to the bit in any batch.
        score = parts.sum(axis=1)
        return Scores(score[None, :], {"top_terms": _top_terms(parts, vocabulary)})

    def memory(self, inputs: CostInputs[Bm25Options]) -> Held:
        """Ids of all rows, while equal ones are found."""
        return Held(_BYTES_OF_A_ROW * inputs.n_pool)


METHOD = Bm25Method()


def _weights(files: Files, n_terms: int, row_id: np.ndarray) -> csr_array:
    """Give the index's rows of these row ids, float64 and in their order."""
    from scipy.sparse import csr_array

    indexed, wanted = files.array("row_id.npy"), np.asarray(row_id, dtype="S")
    place = np.minimum(np.searchsorted(indexed, wanted), len(indexed) - 1)
    missing = np.flatnonzero(indexed[place] != wanted)
    if len(missing):
        raise ValueError(
            f"{len(missing)} of {len(row_id)} rows are not in {INDEX.asset!r}, among them "
            f"{row_id[missing[0]]}; prepare the index again over the whole pool"
        )
    weights = csr_array(
        tuple(files.array(f"{name}.npy") for name in ("data", "indices", "indptr")),
        shape=(len(indexed), n_terms),
    )
    return weights[files.array("place.npy")[place]].astype(np.float64)


def _top_terms(parts: csr_array, vocabulary: Sequence[str]) -> pa.ListArray:
    """Up to five {term, score} of each row: the largest positive parts of its score, in order."""
    import pyarrow as pa

    indptr, columns, values = (np.asarray(a) for a in (parts.indptr, parts.indices, parts.data))
    n_rows = len(indptr) - 1
    row = np.repeat(np.arange(n_rows), np.diff(indptr))
    # Of equal ones the first columns.
    order = np.lexsort((columns, np.negative(values), row))
    order = order[values[order] > 0]
    row = row[order]
    first = np.searchsorted(row, np.arange(n_rows))
    kept = np.arange(len(row)) - first[row] < _TOP_TERMS
    ends = np.cumsum(np.bincount(row[kept], minlength=n_rows))
    terms = pa.array(vocabulary, pa.string())
    found = pa.StructArray.from_arrays(
        [terms.take(pa.array(columns[order][kept])), pa.array(values[order][kept])],
        names=["term", "score"],
    )
    return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], ends]), pa.int32()), found)
