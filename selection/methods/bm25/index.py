"""BM25's index of a pool: what each word of each row adds to a query that has the word once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from selection.basics.array_file import ArrayFile
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

    A text that several sources hold is one document.
    """

    asset: str = "bm25_index"
    shared: bool = True
    reads: tuple[str, ...] = ("k1", "b", "stopwords")

    def prepare(self, inputs: PrepareInputs[Bm25Options]) -> Prepared:
        """Index the whole pool; the blocks of texts that a killed run had read are not read again.

        Of the index one block is held, and the pool's words.

        Returns
        -------
        Prepared
            row_id.npy, sorted, and place.npy, where each is among the documents (int64);
            vocabulary.json, sorted; the documents as compressed rows, data.npy (float32),
            indices.npy (int32, rising in each) and indptr.npy (int64).

        Raises
        ------
        ValueError
            When the pool has no rows.
        """
        options = inputs.options
        pool_row_id = [np.asarray(rows.row_id, dtype="S") for rows in inputs.pool()]
        if not any(map(len, pool_row_id)):
            raise ValueError("the pool has no rows and BM25 needs documents; read a source first")
        words = prepare_in_blocks(
            self, inputs, lambda rows, _: _words_of(rows, options), block_rows=_BLOCK_ROWS
        )
        every = np.concatenate(pool_row_id)
        row_id, first = np.unique(every, return_index=True)
        is_document = np.zeros(len(every), dtype=bool)
        is_document[first] = True
        blocks = _Blocks(words.arrays)
        vocabulary = blocks.vocabulary()
        counted = _counted(blocks, vocabulary, is_document, inputs.work)
        _write_weights(counted, options, inputs.work / "data.npy")
        arrays = {
            name: np.load(inputs.work / name, mmap_mode="r") for name in ("data.npy", "indices.npy")
        }
        return Prepared(
            {
                "row_id.npy": row_id,
                "place.npy": np.cumsum(is_document)[first] - 1,
                "vocabulary.json": vocabulary,
                "indptr.npy": counted.indptr,
                **arrays,
            },
            rows=len(row_id),
            facts={
                "documents": len(row_id),
                "terms": len(vocabulary),
                "entries": int(counted.indptr[-1]),
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
    ids: list[int] = []
    lengths: list[int] = []
    for found in terms_of(rows.text, options):
        ids += [number.setdefault(term, len(number)) for term in found]
        lengths.append(len(found))
    spelled = np.frombuffer("".join(map(_ended, number)).encode("utf-8"), dtype=np.uint8)
    return {
        "ids": np.array(ids, dtype=np.int32),
        "row_lengths": np.array(lengths, dtype=np.int64),
        "terms": spelled,
        "block": np.array([[len(lengths), len(ids), len(spelled)]]),
    }


def _ended(term: str) -> str:
    return term + _WORD_END


class _Blocks:
    """The words of a pool, block by block."""

    def __init__(self, joined: Mapping[str, np.ndarray]) -> None:
        self._joined = joined
        self._ends = np.cumsum(joined["block"], axis=0)

    def __iter__(self) -> Iterator[tuple[list[str], np.ndarray, np.ndarray]]:
        """Give the vocabulary, the numbers in it and the rows' lengths of each block."""
        before = (0, 0, 0)
        for ends in self._ends.tolist():
            of_rows, of_ids, of_terms = (slice(*each) for each in zip(before, ends, strict=True))
            spelled = self._joined["terms"][of_terms].tobytes().decode("utf-8")
            lengths = np.asarray(self._joined["row_lengths"][of_rows])
            yield spelled.split(_WORD_END)[:-1], np.asarray(self._joined["ids"][of_ids]), lengths
            before = tuple(ends)

    def vocabulary(self) -> list[str]:
        """Give the words of all blocks, sorted."""
        found: set[str] = set()
        for spelled, _, _ in self:
            found.update(spelled)
        return sorted(found)


@dataclass(frozen=True)
class _Counted:
    """How often which words occur in the documents: compressed rows.

    Attributes
    ----------
    counts, indices : memory maps of shape (n_entries,), int32.
    indptr : of shape (n_documents + 1,), int64.
    lengths : words of each document.
    documents : how many have each word.
    """

    counts: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    lengths: np.ndarray
    documents: np.ndarray


def _counted(
    blocks: _Blocks, vocabulary: Sequence[str], is_document: np.ndarray, work: Path
) -> _Counted:
    """Count the words of each document; the counts go to disk block by block."""
    number = {term: i for i, term in enumerate(vocabulary)}
    documents = np.zeros(len(vocabulary), dtype=np.int64)
    lengths: list[np.ndarray] = []
    entries: list[np.ndarray] = []
    first = 0
    with (
        ArrayFile(work / "counts.npy", (), np.int32) as counts,
        ArrayFile(work / "indices.npy", (), np.int32) as indices,
    ):
        for spelled, ids, of_rows in blocks:
            kept = is_document[first : first + len(of_rows)]
            first += len(of_rows)
            in_all = np.array([number[term] for term in spelled], dtype=np.int64)
            row = np.repeat(np.cumsum(kept) - 1, of_rows)
            of_kept = np.repeat(kept, of_rows)
            # Sorted by row and word, so that a document's words rise.
            pairs = row[of_kept] * len(vocabulary) + in_all[ids[of_kept]]
            distinct, times = np.unique(pairs, return_counts=True)
            row, word = np.divmod(distinct, max(1, len(vocabulary)))
            documents += np.bincount(word, minlength=len(vocabulary))
            counts.add(times.astype(np.int32))
            indices.add(word.astype(np.int32))
            entries.append(np.bincount(row, minlength=int(kept.sum())))
            lengths.append(of_rows[kept])
    return _Counted(
        np.load(work / "counts.npy", mmap_mode="r"),
        np.load(work / "indices.npy", mmap_mode="r"),
        np.concatenate([[0], np.cumsum(np.concatenate(entries))]).astype(np.int64),
        np.concatenate(lengths),
        documents,
    )


def _write_weights(counted: _Counted, options: Bm25Options, file: Path) -> None:
    """Write what each word of each document adds to a query that has it once, float32."""
    n = len(counted.lengths)
    rarity = np.log1p((n - counted.documents + 0.5) / (counted.documents + 0.5))
    # In a pool without any word the mean length is 0, and nothing is divided by it.
    mean_length = max(counted.lengths.mean(), np.finfo(np.float64).tiny)
    discount = options.k1 * (1 - options.b + options.b * counted.lengths / mean_length)
    with ArrayFile(file, (), np.float32) as weights:
        for start in range(0, n, _BLOCK_ROWS):
            ends = counted.indptr[start : min(start + _BLOCK_ROWS, n) + 1]
            some = slice(ends[0], ends[-1])
            times = counted.counts[some].astype(np.float64)
            of_row = np.repeat(discount[start : start + len(ends) - 1], np.diff(ends))
            of_word = rarity[counted.indices[some]]
            weights.add((of_word * times / (times + of_row)).astype(np.float32))
