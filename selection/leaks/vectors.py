"""Which rows of a pool say nearly what a held-out row says, by their vectors and their words?

A cosine tells alone only where it is high: `benchmarks/leaks.py` measures it. From 0.9 on a row may
be of the same topic only, or a review of another film, and is near where it also has half of the
held-out row's own runs of three words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from selection.leaks.held_out import FEWEST_WORDS, TEMPLATE_ROWS, Evidence
from selection.leaks.kinds import NEAR
from selection.leaks.texts import Leaks
from selection.leaks.words import words_of
from selection.neighbours.targets import nearest_targets

SUSPECT_COSINE = 0.9
"""From which on the words are looked at."""

SHINGLE = 3
"""Words of a run that is compared (Broder 1997, as in `selection.corpus.near_texts`)."""

CONTAINED = 0.5
"""Share of the held-out row's own runs that a near-duplicate has at least."""


class NearEvidence:
    """The held-out rows as near-duplicates of them are found.

    Parameters
    ----------
    vectors_MD : np.ndarray of shape (M, D), any float dtype
    numbers_M : np.ndarray of shape (M,), int64
        Numbers of the vectors' rows in `evidence`.
    evidence : has the words.
    cosine : from which on a vector tells alone.
    """

    def __init__(
        self, vectors_MD: np.ndarray, numbers_M: np.ndarray, evidence: Evidence, *, cosine: float
    ) -> None:
        self.vectors_MD, self.numbers_M, self.cosine = vectors_MD, numbers_M, cosine
        self.tells_M = _tells(vectors_MD, cosine)
        shingles = [_shingles(words) for words in evidence.words_of_rows]
        rows_of = Counter(one for of_row in shingles for one in of_row)
        self._n_own = Counter[int]()
        self._rows_of: dict[tuple[str, ...], list[int]] = {}
        for number, of_row in enumerate(shingles):
            for one in of_row:
                if rows_of[one] <= TEMPLATE_ROWS:
                    self._rows_of.setdefault(one, []).append(number)
                    self._n_own[number] += 1

    def row_of_words(self, words: Sequence[str]) -> int | None:
        """Number of the held-out row of which a row with these words has enough, and the most."""
        shared = Counter(
            number for one in _shingles(words) for number in self._rows_of.get(one, ())
        )
        shares = {
            number: count / self._n_own[number]
            for number, count in shared.items()
            if self._n_own[number] > FEWEST_WORDS - SHINGLE
        }
        best = min(shares, key=lambda number: (-shares[number], number), default=None)
        return None if best is None or shares[best] < CONTAINED else best


def find_leaking_vectors(
    rows: np.ndarray, text_at: Callable[[int], str], near: NearEvidence
) -> Leaks:
    """Find the rows of one source that are near-duplicates of a held-out row.

    Parameters
    ----------
    rows : np.ndarray of shape (n, D), any float dtype
    text_at : gives the text of a row; asked for suspects only.
    """
    found: list[tuple[int, int]] = []
    if len(rows) and len(near.vectors_MD):
        nearest_N1, cosines_N1 = nearest_targets(rows, near.vectors_MD, 1)
        nearest_N, cosine_N = nearest_N1[:, 0], cosines_N1[:, 0]
        tells_N = (cosine_N >= near.cosine) & near.tells_M[nearest_N]
        for place in np.flatnonzero(tells_N | (cosine_N >= SUSPECT_COSINE)).tolist():
            if tells_N[place]:
                found.append((place, int(near.numbers_M[nearest_N[place]])))
            elif (number := near.row_of_words(words_of(text_at(place)))) is not None:
                found.append((place, number))
    place, number = np.array(found, dtype=np.int64).reshape(-1, 2).T
    return Leaks(place, np.full(len(place), NEAR), number)


def _tells(vectors_MD: np.ndarray, cosine: float) -> np.ndarray:
    """Mark the held-out rows of which a row with this cosine is a near-duplicate.

    Where more than `TEMPLATE_ROWS` other held-out rows are as near, nearness tells of what they
    have in common, or of the embedder, and not of the row.
    """
    m, others = len(vectors_MD), TEMPLATE_ROWS + 1
    if m <= others:
        return np.ones(m, dtype=bool)
    _, cosines_MK = nearest_targets(vectors_MD, vectors_MD, others + 1)  # itself too
    return cosines_MK[:, -1] < cosine


def _shingles(words: Sequence[str]) -> set[tuple[str, ...]]:
    return set(zip(*(words[i:] for i in range(SHINGLE)), strict=False))
