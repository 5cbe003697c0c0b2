"""What of the held-out rows is evidence, where a row of the pool has it too?

A run of 13 words is, as for GPT-3 (Brown et al. 2020, appendix C), unless it is of a template: what
stands in more than two held-out rows, such as the words around every question, says nothing of one
of them. A shorter row, or what a template leaves of one, counts as a whole, from 8 words on: "yes"
is not evidence, nor is "Return the value".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from selection.leaks.windows import HashTable, Windows, distinct_pairs
from selection.leaks.words import WORD, words_of

FEWEST_WORDS = 8
"""A shorter text is found where a row equals it, and not where a row has it."""

TEMPLATE_ROWS = 2
"""What more held-out rows than these have in common is a template."""


_Evidence = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of each run that is evidence: its length, as in `Runs`; its hash; the row."""


@dataclass(frozen=True)
class HeldOut:
    """A held-out row.

    Attributes
    ----------
    prompt : where it has one; a row that has it is a leak, whatever its answer.
    """

    row_id: str
    text: str
    prompt: str | None = None


@dataclass(frozen=True)
class Lists:
    """A list of numbers for each of n things: `flat[ends[i - 1]:ends[i]]` for the i-th."""

    flat: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, thing: np.ndarray, flat: np.ndarray, n: int) -> Lists:
        """Gather numbers by the thing that each is given for."""
        order = np.argsort(thing, kind="stable")
        return cls(flat[order], np.cumsum(np.bincount(thing, minlength=n)))

    def of_each(self, things: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All numbers of some things, with the place of the thing among those asked for."""
        starts = np.concatenate([[0], self.ends])[things]
        sizes = self.ends[things] - starts
        place = np.repeat(np.arange(len(things)), sizes)
        within = np.arange(len(place)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return place, self.flat[starts[place] + within]


@dataclass(frozen=True)
class Runs:
    """Runs of words of one shape, among which those of other texts are looked up.

    Attributes
    ----------
    length : how many words they have; 0: as many as are as heavy as a long run.
    table : of their hashes, which numbers them.
    n : how many there are.
    rows : of each, the held-out rows to which it is evidence.
    passages : of each, those that are looked for where it stands.
    """

    length: int
    table: HashTable
    n: int
    rows: Lists
    passages: Lists


class Evidence:
    """The runs of words that tell that a row has something of a held-out row.

    Parameters
    ----------
    held_out : the same row may be there several times.
    words : of a long run.

    Attributes
    ----------
    row_id : of the held-out rows that are distinct by their words, sorted.
    words_of_rows : of each.
    joined : table of the hashes of their joined words.
    joined_rows : numbers of the rows of these hashes: all but those without any word.
    runs : by shape.
    n_runs : np.ndarray of shape (n_rows,), int64
        How many runs are evidence to each.
    row_P : np.ndarray of shape (n_passages,), int64
        Whose text or prompt a passage is.
    before_P, size_P, hash_P : np.ndarray of shape (n_passages,)
        Words of a passage before the run at which it is looked for; all of its words; their hash.
    """

    def __init__(self, held_out: Sequence[HeldOut], *, words: int) -> None:
        self.words = words
        distinct: dict[str, tuple[HeldOut, list[str]]] = {}
        for row in sorted(held_out, key=lambda row: row.row_id):
            found = words_of(row.text)
            # A row without any word is told by its row id alone.
            distinct.setdefault("".join(found) or row.row_id, (row, found))
        self.row_id = [row.row_id for row, _ in distinct.values()]
        self.words_of_rows = [found for _, found in distinct.values()]
        passages = list(enumerate(self.words_of_rows))
        passages += _prompts([row for row, _ in distinct.values()])
        self.row_P = np.array([number for number, _ in passages], dtype=np.int64)
        windows = self._windows = Windows([" ".join(found).encode() for _, found in passages])
        self.joined_rows = np.flatnonzero([bool(found) for found in self.words_of_rows])
        self.joined = HashTable(windows.joined_T[self.joined_rows])
        self.size_P = windows.ends_T - windows.starts_T
        self.hash_P = windows.hashed(windows.starts_T, windows.ends_T)
        weight_P = windows.weights()
        self._is_long_P = weight_P >= words * WORD
        self._is_short_P = (weight_P >= FEWEST_WORDS * WORD) & ~self._is_long_P
        starts, ends = windows.heavy(words)
        n_rows = self._count_rows(starts, ends)
        evidence = self._evidence(starts, ends, n_rows)
        run_P, self.before_P = self._looked_for(starts, ends, n_rows)
        length_P = np.where(self._is_long_P, 0, self.size_P)
        asked = self._is_long_P | self._is_short_P
        lengths = np.unique(np.concatenate([evidence[0], length_P[asked]])).tolist()
        self.runs = [self._runs(length, evidence, run_P, asked, length_P) for length in lengths]
        self.n_runs = np.bincount(evidence[2], minlength=len(self.row_id))

    def _count_rows(self, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """In how many rows each run stands."""
        if not len(starts):
            return np.empty(0, dtype=np.int64)
        _, number = np.unique(self._windows.hashed(starts, ends), return_inverse=True)
        numbers, _ = distinct_pairs(number, self._row_of(starts))
        return np.bincount(numbers)[number]

    def _row_of(self, starts: np.ndarray) -> np.ndarray:
        return self.row_P[self._windows.text_W[starts]]

    def _evidence(self, starts: np.ndarray, ends: np.ndarray, n_rows: np.ndarray) -> _Evidence:
        """Runs without any word of a template, and what short stretches templates leave."""
        windows = self._windows
        edges = np.zeros(len(windows.text_W) + 1, dtype=np.int64)
        np.add.at(edges, starts[n_rows > TEMPLATE_ROWS], 1)
        np.add.at(edges, ends[n_rows > TEMPLATE_ROWS], -1)
        is_template_W = np.cumsum(edges)[:-1] > 0
        counted = np.concatenate([[0], np.cumsum(is_template_W)])
        own = counted[ends] == counted[starts]
        begin, stop = _stretches(~is_template_W, windows.text_W)
        weight = windows.heavy_W[stop] - windows.heavy_W[begin]
        short = (weight >= FEWEST_WORDS * WORD) & (weight < self.words * WORD)
        begin, stop = begin[short], stop[short]
        lengths = np.concatenate([np.zeros(int(own.sum()), np.int64), stop - begin])
        starts, ends = np.concatenate([starts[own], begin]), np.concatenate([ends[own], stop])
        hashes = windows.hashed(starts, ends)
        order = np.lexsort((hashes, lengths))
        lengths, hashes, rows = lengths[order], hashes[order], self._row_of(starts[order])
        is_new = (np.diff(lengths, prepend=-1) != 0) | np.append(
            np.ones(min(1, len(hashes)), dtype=bool), hashes[1:] != hashes[:-1]
        )
        run, row = distinct_pairs(np.cumsum(is_new) - 1, rows)
        few = np.bincount(run)[run] <= TEMPLATE_ROWS
        return lengths[is_new][run[few]], hashes[is_new][run[few]], row[few]

    def _looked_for(
        self, starts: np.ndarray, ends: np.ndarray, n_rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Hash of the run at which each passage is looked for, and the words before it.

        Of a long passage that is the run that the fewest rows have, and the first of those.
        """
        run_P, before_P = self.hash_P.copy(), np.zeros_like(self.size_P)
        passage = self._windows.text_W[starts]
        order = np.lexsort((starts, n_rows, passage))
        _, first = np.unique(passage[order], return_index=True)
        at = order[first]
        run_P[passage[at]] = self._windows.hashed(starts[at], ends[at])
        before_P[passage[at]] = starts[at] - self._windows.starts_T[passage[at]]
        return run_P, before_P

    def _runs(
        self,
        length: int,
        evidence: _Evidence,
        run_P: np.ndarray,
        asked_P: np.ndarray,
        length_P: np.ndarray,
    ) -> Runs:
        """Gather the runs of a length."""
        of_evidence = evidence[0] == length
        passages = np.flatnonzero(asked_P & (length_P == length))
        hashes = np.unique(np.concatenate([evidence[1][of_evidence], run_P[passages]]))
        n = len(hashes)
        return Runs(
            length,
            HashTable(hashes),
            n,
            Lists.of(
                np.searchsorted(hashes, evidence[1][of_evidence]), evidence[2][of_evidence], n
            ),
            Lists.of(np.searchsorted(hashes, run_P[passages]), passages, n),
        )


def _prompts(rows: Sequence[HeldOut]) -> list[tuple[int, list[str]]]:
    """Numbers of rows and words of their prompts, without those of a template."""
    owners: dict[str, list[int]] = {}
    found: dict[str, list[str]] = {}
    for number, row in enumerate(rows):
        words = words_of(row.prompt or "")
        found.setdefault("".join(words), words)
        owners.setdefault("".join(words), []).append(number)
    few = [one for one, numbers in owners.items() if len(numbers) <= TEMPLATE_ROWS]
    return [(number, found[one]) for one in few for number in owners[one]]


def _stretches(marked: np.ndarray, text_W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends of the longest runs of marked words, each within one text."""
    goes_on = marked[1:] & marked[:-1] & (text_W[1:] == text_W[:-1])
    edge = np.zeros(min(1, len(marked)), dtype=bool)
    begins, stops = marked & ~np.append(edge, goes_on), marked & ~np.append(goes_on, edge)
    return np.flatnonzero(begins), np.flatnonzero(stops) + 1
