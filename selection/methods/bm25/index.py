"""BM25's index of a pool: what each word of each row adds to a query that has the word once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import numpy as np
from pydantic import Field

from selection.basics.text import normalise
from selection.basics.words import terms
from selection.methods.contract.blocks import prepare_in_blocks
from selection.methods.contract.options import MethodOptions
from selection.methods.contract.preparation import Preparation, Prepared, PrepareInputs
from selection.methods.contract.values import Rows

_BLOCK_ROWS = 8192
_WORD_END = "\n"  # which no word contains


class Bm25Options(MethodOptions):
    """Options of the BM25 method."""

    k1: float = Field(
        default=1.5, gt=0, le=1e6, description="how slowly the repetition of a word saturates"
    )
    b: float = Field(
        default=0.75, ge=0, le=1, description="how far a row's length discounts it; 0: not at all"
    )
    stopwords: Literal["english", "english_plus", "none"] = Field(
        default="english",
        description="english: leave out Lucene's 33 function words, which whole texts as queries "
        "repeat so often that they outweigh rare words; english_plus: leave out more of them, "
        "pronouns and auxiliary verbs too; none: keep every word",
    )


class Bm25Index(Preparation):
    """The pool's BM25 weights, by row and word.

    The formula is Lucene's, ``log(1 + (N - n + 0.5) / (n + 0.5)) f / (f + k1 (1 - b + b L / mean
    L))``, for a word that occurs f times in a row of L words and in n of the N rows (Kamphuis et
    al., ECIR 2020). Against Robertson's it leaves out the factor k1 + 1, which no ranking sees,
    and a word of more than half of the rows does not count against a row.

    A text that several sources hold is one document. Words and rows are stored sorted, so that
    the index does not depend on the order of the pool.
    """

    asset: str = "bm25_index"
    shared: bool = True
    reads: tuple[str, ...] = ("k1", "b", "stopwords")

    def prepare(self, inputs: PrepareInputs[Bm25Options]) -> Prepared:
        """Index the whole pool; the blocks of texts that a killed run had read are not read again.

        Returns
        -------
        Prepared
            row_id.npy, sorted; vocabulary.json, sorted; weights.safetensors, the compressed rows
            data (float32), indices (int32) and indptr (int64), and n_terms (int64 of shape (1,)).

        Raises
        ------
        ValueError
            When the pool has no rows.
        """
        options = inputs.options
        pool_row_id = [rows.row_id for rows in inputs.pool()]
        if not any(map(len, pool_row_id)):
            raise ValueError("the pool has no rows and BM25 needs documents; read a source first")
        words = prepare_in_blocks(
            self, inputs, lambda rows, _: _words_of(rows, options), block_rows=_BLOCK_ROWS
        )
        # As text: read from Parquet they are objects, which no array file holds.
        row_id, first = np.unique(np.concatenate(pool_row_id).astype(str), return_index=True)
        vocabulary, ids_of_row = _joined(words.arrays)
        weights = _weights([ids_of_row[i] for i in first], len(vocabulary), options)
        return Prepared(
            {
                "row_id.npy": row_id,
                "vocabulary.json": vocabulary,
                "weights.safetensors": weights,
            },
            rows=len(row_id),
            facts={
                "documents": len(row_id),
                "terms": len(vocabulary),
                "entries": len(weights["data"]),
            },
        )


def terms_of(texts: Iterable[str], options: Bm25Options) -> Iterator[list[str]]:
    """Give the `terms` of each text, in lower case and without stop words."""
    left_out = _stopwords(options)
    for text in texts:
        # Normalised, since texts with one row id may differ in how they write an accent.
        found = terms(normalise(text).lower())
        yield [term for term in found if term not in left_out]


def _stopwords(options: Bm25Options) -> frozenset[str]:
    from bm25s.stopwords import STOPWORDS_EN, STOPWORDS_EN_PLUS

    lists = {"english": STOPWORDS_EN, "english_plus": STOPWORDS_EN_PLUS, "none": ()}
    return frozenset(lists[options.stopwords])


def _words_of(rows: Rows, options: Bm25Options) -> dict[str, np.ndarray]:
    """Give the words of some rows as numbers in a vocabulary of their own, spelled out beside."""
    number: dict[str, int] = {}
    ids_of_row = [
        [number.setdefault(term, len(number)) for term in found]
        for found in terms_of(rows.text, options)
    ]
    spelled = "".join(term + _WORD_END for term in number).encode("utf-8")
    return {
        "ids": np.array([i for ids in ids_of_row for i in ids], dtype=np.int32),
        "row_lengths": np.array([len(ids) for ids in ids_of_row], dtype=np.int64),
        "terms": np.frombuffer(spelled, dtype=np.uint8),
        "block": np.array([[len(rows.row_id), len(number)]]),
    }


def _joined(blocks: Mapping[str, np.ndarray]) -> tuple[list[str], list[np.ndarray]]:
    """Give the sorted words of all blocks, and each row's as numbers in that one vocabulary."""
    spelled = blocks["terms"].tobytes().decode("utf-8").split(_WORD_END)[:-1]
    vocabulary = sorted(set(spelled))
    number = {term: i for i, term in enumerate(vocabulary)}
    number_of_spelled = np.array([number[term] for term in spelled], dtype=np.int64)
    n_rows, n_terms = blocks["block"].T
    first_of_row = np.repeat(np.cumsum(n_terms) - n_terms, n_rows)
    lengths = blocks["row_lengths"]
    ids = number_of_spelled[blocks["ids"] + np.repeat(first_of_row, lengths)]
    return vocabulary, np.split(ids, np.cumsum(lengths)[:-1])


def _weights(
    documents: list[np.ndarray], n_terms: int, options: Bm25Options
) -> dict[str, np.ndarray]:
    """Give the weights of each document's words, as compressed rows whose columns ascend."""
    from bm25s import BM25
    from scipy.sparse import csc_array

    index = BM25(k1=options.k1, b=options.b, method="lucene", backend="numpy", dtype="float32")
    vocabulary = {term: term for term in range(n_terms)}
    # In a pool without any word the mean length is 0, and nothing is divided by it.
    with np.errstate(invalid="ignore"):
        index.index(
            ([ids.tolist() for ids in documents], vocabulary),
            create_empty_token=False,
            show_progress=False,
        )
    weights = csc_array(
        (index.scores["data"], index.scores["indices"], index.scores["indptr"]),
        shape=(len(documents), n_terms),
    ).tocsr()
    weights.sort_indices()
    return {
        "data": weights.data,
        "indices": weights.indices.astype(np.int32),
        "indptr": weights.indptr.astype(np.int64),
        "n_terms": np.array([n_terms]),
    }
