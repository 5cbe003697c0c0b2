"""Which rows of a pool say nearly what a held-out row says, by their vectors and their words?

A vector says where to look, and the words whether it is so. An embedder may have read only the
beginning of both rows, or find all of a topic alike; `benchmarks/leaks.py` measures how often.
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
"""From which on a row is near that has enough of a held-out row's runs of three words; from the
cosine of `NearEvidence` on, one that has enough of its words in whatever order."""

SHINGLE = 3
"""Words of a run (Broder 1997, as in `selection.corpus.near_texts`)."""

_COSINE_SLACK = 1e-3
"""Far more than the rounding of a cosine in float32."""

_BLOCK_ROWS = 8192

CONTAINED = 0.5
"""Share of a held-out row's own words, or runs, that a near-duplicate has at least."""


class Own:
    """The runs of words that hardly any other held-out row has.

    Parameters
    ----------
    rows : words of each held-out row.
    length : of a run.
    """

    def __init__(self, rows: Sequence[Sequence[str]], length: int) -> None:
        self._length = length
        runs = [self._runs(words) for words in rows]
        n_rows = Counter(run for of_row in runs for run in of_row)
        self._rows_of: dict[tuple[str, ...], list[int]] = {}
        for number, of_row in enumerate(runs):
            for run in of_row:
                if n_rows[run] <= TEMPLATE_ROWS:
                    self._rows_of.setdefault(run, []).append(number)
        self._n_own = Counter(number for of_run in self._rows_of.values() for number in of_run)

    def shares(self, words: Sequence[str]) -> dict[int, float]:
        """How much a row with these words has of each held-out row of which it has enough.

        A held-out row with fewer runs of its own than `FEWEST_WORDS` words in a row have is none.
        """
        shared = Counter(
            number for run in self._runs(words) for number in self._rows_of.get(run, ())
        )
        return {
            number: count / self._n_own[number]
            for number, count in shared.items()
            if self._n_own[number] > FEWEST_WORDS - SHINGLE
            and count >= CONTAINED * self._n_own[number]
        }

    def _runs(self, words: Sequence[str]) -> set[tuple[str, ...]]:
        return set(zip(*(words[i:] for i in range(self._length)), strict=False))


class NearEvidence:
    """The held-out rows as near-duplicates of them are found.

    Parameters
    ----------
    vectors_MD : np.ndarray of shape (M, D), any float dtype
    numbers_M : np.ndarray of shape (M,), int64
        Numbers of the vectors' rows in `evidence`.
    evidence : has the words.
    cosine : from which on words in whatever order are enough.
    """

    def __init__(
        self, vectors_MD: np.ndarray, numbers_M: np.ndarray, evidence: Evidence, *, cosine: float
    ) -> None:
        self.vectors_MD, self.numbers_M, self.cosine = vectors_MD, numbers_M, cosine
        self.tells_M = _tells(vectors_MD, cosine)
        self.own_words = Own(evidence.words_of_rows, 1)
        self.own_runs = Own(evidence.words_of_rows, SHINGLE)


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
    place_S = _maybe_near(rows, near)
    if len(place_S):
        nearest_S1, cosines_S1 = nearest_targets(rows[place_S], near.vectors_MD, 1)
        nearest_S, cosine_S = nearest_S1[:, 0], cosines_S1[:, 0]
        tells_S = (cosine_S >= near.cosine) & near.tells_M[nearest_S]
        for at in np.flatnonzero(tells_S | (cosine_S >= SUSPECT_COSINE)).tolist():
            place = int(place_S[at])
            words = words_of(text_at(place))
            shares = near.own_runs.shares(words)
            nearest = int(near.numbers_M[nearest_S[at]])
            if not shares and tells_S[at] and nearest in near.own_words.shares(words):
                shares = {nearest: 1.0}
            if shares:
                found.append((place, min(shares, key=lambda number: (-shares[number], number))))
    place, number = np.array(found, dtype=np.int64).reshape(-1, 2).T
    return Leaks(place, np.full(len(place), NEAR), number)


def _maybe_near(rows: np.ndarray, near: NearEvidence) -> np.ndarray:
    """Places of the rows that may be suspects: rounding loses none, and few are too many."""
    least, found = min(SUSPECT_COSINE, near.cosine) - _COSINE_SLACK, []
    target_DM = near.vectors_MD.astype(np.float32).T
    target_DM = target_DM / np.linalg.norm(target_DM, axis=0)
    for start in range(0, len(rows) if target_DM.shape[1] else 0, _BLOCK_ROWS):
        block_BD = np.asarray(rows[start : start + _BLOCK_ROWS], dtype=np.float32)
        least_B = least * np.linalg.norm(block_BD, axis=1)
        # Put so that a row without a direction, of which the exact search complains, is one too.
        far_B = (block_BD @ target_DM).max(axis=1) < least_B
        found.append(start + np.flatnonzero(~far_B))
    return np.concatenate([np.empty(0, dtype=np.int64), *found])


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
