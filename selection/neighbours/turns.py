"""Target rows take turns popping their nearest unused row of a pool (RDS+, arXiv 2503.01807).

Every pair of a target row and a pool row becomes one 64-bit key, its cosine above the row's place
in the order of row ids, so that sorting keys sorts by falling cosine and then by row id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from selection.transport.points import unit_rows

MAX_PAIRS = 64_000_000
"""Pairs of a target row and a pool row that may be kept; each takes 8 bytes."""

# Rows of the pool whose keys are computed at a time: bounds memory, not the result.
_BLOCK_ROWS = 8192
# Cosines are whole numbers of 1e-7: what rounding or the batch adds is less, and so equal rows tie.
_UNIT = 10_000_000
_NUMBER_BITS = 32
_NUMBER_MASK = (1 << _NUMBER_BITS) - 1
_FIRST_LOOK = 16
# Ids of rows as bytes while they are sorted, and what is noted of each.
_BYTES_OF_A_ROW = 250.0


@dataclass(frozen=True)
class Turns:
    """The rows that were popped, first turn first; turn t is of the target row t modulo m.

    Attributes
    ----------
    row_id : np.ndarray of shape (T,), bytes
        In UTF-8, which takes a quarter of the memory of text.
    cosine : np.ndarray of shape (T,), float64
        Of the row to the target row that popped it.
    n_rows : int
        Distinct rows of the pool (N).
    n_target : int
        Rows of the target (m).
    pairs : int
        Cosines computed, N times m.
    """

    row_id: np.ndarray
    cosine: np.ndarray
    n_rows: int
    n_target: int
    pairs: int


def play_turns(
    pool: Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]],
    target: np.ndarray,
    *,
    depth: int | None = None,
    max_pairs: int = MAX_PAIRS,
) -> Turns:
    """Play the turns, until every row is popped or a target row has none left within its depth.

    Turns are exact, whatever the depth: a target row keeps its `depth` nearest rows, and the game
    ends at the first turn whose answer could lie beyond them. A target row has lost at most one
    of its rows in each turn before, so that at least `depth` turns are played.

    Parameters
    ----------
    pool : callable
        Gives (row ids, embeddings of any float dtype) batch by batch, twice the same; a row id
        that occurs again is the same row, as it was met first.
    target : np.ndarray of shape (m, D), any float dtype
    depth : int or None
        None is as deep as `max_pairs` allows; with few enough every row is popped.
    max_pairs : int
        Most pairs kept.

    Raises
    ------
    ValueError
        Without rows, for unusable rows, when m times the depth is more than `max_pairs`, and when
        m is.
    """
    target_MD = unit_rows(target, "target")
    m = len(target_MD)
    row_ids = _distinct(ids for ids, _ in pool())
    n = len(row_ids)
    if n == 0:
        raise ValueError("the pool has no rows to take turns on; give at least one")
    if depth is not None and depth < 1:
        raise ValueError(f"depth is {depth} and must be at least 1")
    kept = min(n, max(1, max_pairs // m) if depth is None else depth)
    if kept * m > max_pairs:
        raise ValueError(
            f"round_robin would keep {kept:,} rows for each of {m:,} target rows: "
            f"{kept * m:,} pairs, and {max_pairs:,} is the most (8 bytes each); set `depth` to at "
            f"most {max_pairs // m:,}, by which so many rows at least are ranked exactly"
        )
    keys_MK = _nearest_keys(_numbered(pool(), row_ids), target_MD, kept, n)
    popped, cosine = _play(keys_MK, n)
    return Turns(row_ids[popped], cosine, n, m, n * m)


def turns_bytes(n: int, m: int, *, depth: int | None = None) -> float:
    """Give the bytes that turns of m target rows over n rows take at most, see `play_turns`."""
    kept = min(n, max(1, MAX_PAIRS // m) if depth is None else depth)
    keys, cosines = 8.0 * m * (kept + _BLOCK_ROWS), 24.0 * m * _BLOCK_ROWS
    return keys + cosines + _BYTES_OF_A_ROW * n


def _distinct(parts: Iterable[np.ndarray]) -> np.ndarray:
    """Sorted row ids, each once, as bytes."""
    found = [_as_bytes(ids) for ids in parts]
    return np.unique(np.concatenate(found)) if found else np.empty(0, dtype="S1")


def _as_bytes(ids: np.ndarray) -> np.ndarray:
    some = (ids[start : start + _BLOCK_ROWS] for start in range(0, max(len(ids), 1), _BLOCK_ROWS))
    return np.concatenate([np.char.encode(np.asarray(one, dtype=str), "utf-8") for one in some])


def _numbered(
    batches: Iterable[tuple[np.ndarray, np.ndarray]], row_ids: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give (numbers, unit rows) of the rows that are met for the first time, block by block."""
    seen = np.zeros(len(row_ids), dtype=bool)
    for ids, embeddings in batches:
        for start in range(0, len(ids), _BLOCK_ROWS):
            some = slice(start, start + _BLOCK_ROWS)
            numbers, first = np.unique(
                np.searchsorted(row_ids, _as_bytes(ids[some])), return_index=True
            )
            new = ~seen[numbers]
            numbers, first = numbers[new], first[new]
            seen[numbers] = True
            if len(numbers):
                yield numbers, unit_rows(np.asarray(embeddings[some])[first], "rows")


def _nearest_keys(
    blocks: Iterable[tuple[np.ndarray, np.ndarray]], target_MD: np.ndarray, kept: int, n: int
) -> np.ndarray:
    """Give the `kept` smallest keys of each target row, sorted, int64 of shape (m, kept)."""
    keys = np.empty((len(target_MD), min(kept + _BLOCK_ROWS, n)), dtype=np.int64)
    filled = 0
    for numbers, rows_BD in blocks:
        if filled + len(numbers) > keys.shape[1]:
            # Every row's kept smallest keys move to its front.
            keys[:, :filled].partition(kept - 1, axis=1)
            filled = kept
        cosines_MB = np.rint(target_MD @ rows_BD.T * _UNIT).astype(np.int64)
        block = slice(filled, filled + len(numbers))
        keys[:, block] = ((_UNIT - cosines_MB) << _NUMBER_BITS) | numbers
        filled = block.stop
    if filled > kept:
        keys[:, :filled].partition(kept - 1, axis=1)
    nearest = keys[:, :kept]
    nearest.sort(axis=1)
    return nearest


def _play(keys_MK: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Play turns on sorted keys: the numbers of the rows popped, and their cosines."""
    m, kept = keys_MK.shape
    used = np.zeros(n, dtype=bool)
    next_M = np.zeros(m, dtype=np.int64)
    popped = np.empty(n, dtype=np.int64)
    for turn in range(n):
        mine = turn % m
        place = _first_unused(keys_MK[mine], int(next_M[mine]), used)
        if place == kept:
            popped = popped[:turn]
            break
        popped[turn] = keys_MK[mine, place]
        used[popped[turn] & _NUMBER_MASK] = True
        next_M[mine] = place + 1
    return popped & _NUMBER_MASK, (_UNIT - (popped >> _NUMBER_BITS)) / _UNIT


def _first_unused(keys_K: np.ndarray, place: int, used: np.ndarray) -> int:
    """Place of the first key from here on whose row is unused; their number when none is."""
    look = _FIRST_LOOK
    while place < len(keys_K):
        free = ~used[keys_K[place : place + look] & _NUMBER_MASK]
        first = int(free.argmax())
        if free[first]:
            return place + first
        place += len(free)
        look *= 4
    return place
