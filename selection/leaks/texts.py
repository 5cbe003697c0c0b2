"""Which rows of a pool have what a held-out row says, by their words?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from selection.leaks.held_out import Evidence, Runs
from selection.leaks.kinds import EQUAL, NGRAM
from selection.leaks.windows import Windows, distinct_pairs
from selection.leaks.words import cut_later

COMMON_ROWS = 10
"""A run of words in more rows of a source than these, such as the head of a licence, is no evidence
by itself: GPT-3's bound."""

COVERED = 0.7
"""A row with this share of what is evidence to a held-out row is a leak all the same: PaLM's bound
(Chowdhery et al. 2022, section 8), there of runs of 8 words."""

_CHARACTERS = 1_000_000
"""Of the texts that are looked at together; bounds the memory, not the result."""


@dataclass(frozen=True)
class Leaks:
    """The rows that leak, by their place.

    Attributes
    ----------
    place : np.ndarray of shape (n,), int64
        Rising, each once.
    kind : np.ndarray of shape (n,), str
    held_out : np.ndarray of shape (n,), int64
        Number of the held-out row.
    """

    place: np.ndarray
    kind: np.ndarray
    held_out: np.ndarray


def find_leaking_texts(
    texts: Iterable[str], evidence: Evidence, *, with_runs: bool = True
) -> Leaks:
    """Find the texts of one source that leak a held-out row.

    `equal`: the same words, whatever the case, punctuation, spaces and characters that are not
    seen. `ngram`: all of a held-out row or of its prompt; or a run of words that is evidence to it
    and stands in at most `COMMON_ROWS` of the texts; or `COVERED` of such runs, however common.

    Parameters
    ----------
    texts : read once, in parts.
    with_runs : False: only those that are equal.
    """
    equal: list[tuple[np.ndarray, np.ndarray]] = []
    found = [_Found(runs, evidence) for runs in evidence.runs if with_runs]
    for first, part in _parts(texts):
        windows = Windows([cut_later(text) for text in part])
        at, joined = evidence.joined.find(windows.joined_T)
        equal.append((at + first, evidence.joined_rows[joined]))
        for of_shape in found:
            of_shape.look(windows, first)
    place, row, share = map(
        np.concatenate, zip(_of_equal(equal), *(one.leaks() for one in found), strict=True)
    )
    # Of several held-out rows the one of which most is there, and the first by its row id.
    order = np.lexsort((row, -share, place))
    at = order[np.unique(place[order], return_index=True)[1]]
    return Leaks(place[at], np.where(share[at] == _ALL_OF_IT, EQUAL, NGRAM), row[at])


_ALL_OF_IT, _WHOLE = 3.0, 2.0
"""Above any share of what is evidence."""

_Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Places, held-out rows, and how much of the row is there."""


def _of_equal(equal: list[tuple[np.ndarray, np.ndarray]]) -> _Pairs:
    place, row = _joined(equal)
    return place, row, np.full(len(place), _ALL_OF_IT)


class _Found:
    """What texts have of the runs of one shape, as they are looked at."""

    def __init__(self, runs: Runs, evidence: Evidence) -> None:
        self._runs, self._evidence = runs, evidence
        self._is_evidence = np.diff(runs.rows.ends, prepend=0) > 0
        self._shared: list[tuple[np.ndarray, np.ndarray]] = []
        self._whole: list[tuple[np.ndarray, np.ndarray]] = []

    def look(self, windows: Windows, first: int) -> None:
        """Look at some texts, of which the first stands at this place."""
        length, words = self._runs.length, self._evidence.words
        starts, run = windows.find(self._runs.table, length=length, words=words)
        text = windows.text_W[starts] + first
        counts = self._is_evidence[run]
        self._shared.append(distinct_pairs(text[counts], run[counts]))
        which, passage = self._runs.passages.of_each(run)
        begin = starts[which] - self._evidence.before_P[passage]
        stop = begin + self._evidence.size_P[passage]
        text, of_text = text[which], windows.text_W[starts[which]]
        # What it would be, outside its text, is another hash; only the bounds must hold.
        within = (begin >= windows.starts_T[of_text]) & (stop <= windows.ends_T[of_text])
        text, passage = text[within], passage[within]
        hashes = windows.hashed(begin[within], stop[within])
        same = hashes == self._evidence.hash_P[passage]
        row = self._evidence.row_P[passage[same]]
        self._whole.append(distinct_pairs(text[same], row))

    def leaks(self) -> _Pairs:
        """What they come to, now that it is known how many texts have each run."""
        place, run = _joined(self._shared)
        is_rare = np.bincount(run, minlength=self._runs.n) <= COMMON_ROWS
        which, row = self._runs.rows.of_each(run)
        order = np.lexsort((row, place[which]))
        place, row, is_rare = place[which][order], row[order], is_rare[run[which]][order]
        is_first = np.diff(place, prepend=-1) != 0
        is_first |= np.diff(row, prepend=-1) != 0
        pair = np.cumsum(is_first) - 1
        n_rare, n_shared = np.bincount(pair, weights=is_rare), np.bincount(pair)
        place, row = place[is_first], row[is_first]
        share = n_shared / self._evidence.n_runs[row]
        leaks = (n_rare > 0) | (share >= COVERED)
        place, row, share = place[leaks], row[leaks], share[leaks]
        whole_place, whole_row = _joined(self._whole)
        return (
            np.concatenate([place, whole_place]),
            np.concatenate([row, whole_row]),
            np.concatenate([share, np.full(len(whole_row), _WHOLE)]),
        )


def _joined(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    nothing = np.empty(0, dtype=np.int64)
    first, second = zip((nothing, nothing), *parts, strict=True)
    return np.concatenate(first), np.concatenate(second)


def _parts(texts: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Texts that fit in memory together, with the place of the first."""
    first, part, size = 0, [], 0
    for text in texts:
        part.append(text)
        size += len(text)
        if size >= _CHARACTERS:
            yield first, part
            first, part, size = first + len(part), [], 0
    if part:
        yield first, part
