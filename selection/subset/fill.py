"""Which rows of a ranking does a budget take, and which does it pass over?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from selection.basics.vectors import Vectors
from selection.neighbours.duplicates import NearDuplicates

ENOUGH_PERCENT = 99
"""From this share of its tokens on, the first row that does not fit ends a selection."""

# Candidates looked at at a time; part of the result only in the last bits of their cosines.
_CHUNK_ROWS = 1024


@dataclass(frozen=True)
class Filled:
    """What became of the rows that were reached; all arrays hold numbers of candidates, int64.

    Attributes
    ----------
    selected : np.ndarray of shape (k,)
        In the order given.
    passed_over : np.ndarray of shape (p,)
        Those longer than what was left when their turn came.
    repeats, repeated : np.ndarray of shape (r,)
        Near-duplicates, and the selected row that each is nearest to.
    tokens : int
        Sum of those selected.
    """

    selected: np.ndarray
    passed_over: np.ndarray
    repeats: np.ndarray
    repeated: np.ndarray
    tokens: int


def fill_budget(
    order: np.ndarray,
    tokens: np.ndarray,
    *,
    token_budget: int,
    row_budget: int | None = None,
    embeddings: Vectors | None = None,
    near: NearDuplicates | None = None,
) -> Filled:
    """Take rows in order; one that does not fit is passed over until 99 % is spent.

    Then the first that does not fit ends the selection. Whether a row fits is asked before whether
    it repeats another, so that only rows that could be selected are compared.

    Parameters
    ----------
    order : np.ndarray of shape (m,), int64
        Candidates, best first.
    tokens : np.ndarray of shape (n,), int
        What each candidate costs, at least 1.
    row_budget : the most rows to select; None: any number.
    embeddings : of shape (n, D), or None without `near`.
    near : None to keep near-duplicates.
    """
    costs = tokens[order].astype(np.int64)
    selected: list[np.ndarray] = [np.empty(0, dtype=np.int64)]
    passed_over, repeats, twins = list(selected), list(selected), list(selected)
    spent, n_selected, start = 0, 0, 0
    while start < len(order) and n_selected != row_budget:
        cost = costs[start : start + _CHUNK_ROWS]
        # What is left only shrinks: a row that does not fit here will not fit at its turn either.
        fits = cost <= token_budget - spent
        fitting = np.flatnonzero(fits)
        # Those that all fit together, near-duplicates or not; the next one is asked again.
        n = int(np.searchsorted(np.cumsum(cost[fitting]), token_budget - spent, side="right"))
        end = int(fitting[n]) if n < len(fitting) else len(cost)
        if row_budget is not None and n >= row_budget - n_selected:
            n = row_budget - n_selected
            end = int(fitting[n - 1]) + 1  # after the last one, no row has a turn
        batch, fits = fitting[:n], fits[:end]
        rows = order[start : start + end]
        twin = np.full(n, -1, dtype=np.int64)
        if near is not None and embeddings is not None and n:
            twin = near.judge(embeddings[rows[batch]])
        # Before each row of `rows`, and after the last: only rows of the batch add to it.
        added = np.zeros(end, dtype=np.int64)
        added[batch[twin < 0]] = cost[batch[twin < 0]]
        before = spent + np.concatenate([[0], np.cumsum(added)])
        ends_at = np.flatnonzero(~fits & (100 * before[:-1] >= ENOUGH_PERCENT * token_budget))
        stop = int(ends_at[0]) if len(ends_at) else end
        twin, batch = twin[batch < stop], batch[batch < stop]
        selected.append(rows[batch[twin < 0]])
        repeats.append(rows[batch[twin >= 0]])
        twins.append(twin[twin >= 0])
        passed_over.append(rows[:stop][~fits[:stop]])
        spent, n_selected = int(before[stop]), n_selected + int((twin < 0).sum())
        start += end
        if stop < end:
            break
    chosen = np.concatenate(selected)
    return Filled(
        selected=chosen,
        passed_over=np.concatenate(passed_over),
        repeats=np.concatenate(repeats),
        # Every row that was kept for comparison was selected, or the loop would have ended at it.
        repeated=chosen[np.concatenate(twins)],
        tokens=spent,
    )
