"""Turn scores into a subset: best rows first until the token budget is spent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import ArrayLike

from selection.basics.tables import numbered
from selection.basics.vectors import Vectors
from selection.neighbours.duplicates import NearDuplicates
from selection.subset.fates import (
    BELOW_CUTOFF,
    DOES_NOT_FIT,
    EXACT_DUPLICATE,
    NEAR_DUPLICATE,
    SELECTED,
)
from selection.subset.fill import fill_budget

if TYPE_CHECKING:
    import pyarrow as pa

_FATES = (SELECTED, BELOW_CUTOFF, DOES_NOT_FIT, NEAR_DUPLICATE, EXACT_DUPLICATE)


@dataclass(frozen=True)
class Subset:
    """The rows selected and the fate of every candidate.

    Arrays of shape (n,) are aligned with the candidates as given.

    Attributes
    ----------
    rank : np.ndarray of shape (n,), int64
        Position by (score falling, row id rising); 0 is best. Skipped rows have ranks too.
    fate : np.ndarray of shape (n,), str
        "selected", "below_cutoff", "does_not_fit", "near_duplicate", "exact_duplicate", or the
        reason for which the row was excluded. A row that does not fit was longer than what was
        left of the budget when its turn came; one below the cut-off had no turn. Near-duplicates
        are looked for only among rows that had one and fit.
    margin : np.ndarray of shape (n,), float64
        Score minus the cut-off, the score of the last selected row; at least 0 for selected rows,
        at most 0 below the cut-off, of either sign for others; NaN when nothing is selected.
    duplicate_of : np.ndarray of shape (n,), int64
        Index of the kept candidate that an exact or near duplicate repeats, else -1.
    selected : np.ndarray of shape (k,), int64
        Indices of the selected candidates, best first.
    tokens : int
        Sum of their tokens.
    """

    rank: np.ndarray
    fate: np.ndarray
    margin: np.ndarray
    duplicate_of: np.ndarray
    selected: np.ndarray
    tokens: int


def choose_rows(
    *,
    row_id: ArrayLike | pa.Array | pa.ChunkedArray,
    score: ArrayLike,
    n_tokens: ArrayLike,
    token_budget: int,
    row_budget: int | None = None,
    embeddings: Vectors | None = None,
    near_duplicate_cosine: float | None = 0.97,
    reason: ArrayLike | None = None,
) -> Subset:
    """Take rows in rank order until the budget is spent, or enough are taken, then stop.

    A row that does not fit is passed over, and the next one tried, until 99 % of the tokens are
    spent; from then on the first that does not fit ends the selection. So one long row cannot keep
    an arm from what it was given, and the subset is the top of the ranking but for its last rows.
    Rows with a reason and duplicates are passed over and cost nothing.

    Parameters
    ----------
    row_id : array of str or int of shape (n,)
        Ids, or numbers in their order. One that occurs again, as in two sources, is an exact
        duplicate.
    score : array of shape (n,)
        Higher is better.
    n_tokens : array of int of shape (n,)
        What a row costs; at least 1.
    token_budget : int
    row_budget : int or None
        The most rows to select.
    embeddings : vectors of shape (n, D) or None
        Needed unless near_duplicate_cosine is None.
    near_duplicate_cosine : float or None
        A row with at least this cosine to a row already selected is passed over; None keeps all.
    reason : array of str of shape (n,) or None
        Why this very candidate is not to be selected, "" for one that may be; its copies may be,
        unless they have a reason too.

    Returns
    -------
    Subset
        The same for any order of the candidates.

    Raises
    ------
    ValueError
        Lengths differ, a score is not finite, a token count is below 1 (row id given), a reason
        is a fate, or embeddings are missing.
    """
    ids = _ids(row_id)
    scores = np.asarray(score, dtype=np.float64)
    tokens = np.asarray(n_tokens)
    reasons = np.full(len(ids), "", object) if reason is None else np.asarray(reason, dtype=object)
    _check(ids, scores, tokens, token_budget, embeddings, near_duplicate_cosine, reasons)
    place = numbered(ids)  # for the order of ties and for copies
    # The token count decides nothing but the order of copies of one row that disagree on it.
    order = np.lexsort((tokens, place, -scores))
    n = len(ids)
    rank = np.empty(n, dtype=np.int64)
    rank[order] = np.arange(n)

    # Objects, since nearly all of them are one and the same.
    fate, duplicate_of = np.full(n, BELOW_CUTOFF, dtype=object), np.full(n, -1)
    is_out = reasons != ""
    fate[is_out] = reasons[is_out]
    kept = _best_of_copies(order[~is_out[order]], place)
    is_copy = ~is_out & (kept != np.arange(n))
    fate[is_copy] = EXACT_DUPLICATE
    duplicate_of[is_copy] = kept[is_copy]
    eligible = order[~(is_copy | is_out)[order]]
    near = None
    if near_duplicate_cosine is not None and embeddings is not None and n:
        near = NearDuplicates(embeddings.shape[1], near_duplicate_cosine)
    filled = fill_budget(
        eligible,
        tokens,
        token_budget=token_budget,
        row_budget=row_budget,
        embeddings=embeddings,
        near=near,
    )
    fate[filled.selected] = SELECTED
    fate[filled.passed_over] = DOES_NOT_FIT
    fate[filled.repeats] = NEAR_DUPLICATE
    duplicate_of[filled.repeats] = filled.repeated
    cutoff = float(scores[filled.selected[-1]]) if len(filled.selected) else float("nan")
    return Subset(
        rank=rank,
        fate=fate,
        margin=scores - cutoff,
        duplicate_of=duplicate_of,
        selected=filled.selected,
        tokens=filled.tokens,
    )


def _ids(row_id: ArrayLike | pa.Array | pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    match row_id:
        case pa.ChunkedArray():
            return cast("pa.ChunkedArray", row_id).combine_chunks()
        case pa.Array():
            return row_id
        case _:
            ids = np.asarray(row_id)
            if np.issubdtype(ids.dtype, np.integer):
                return pa.array(ids)
            return pa.array(ids.astype(object), pa.string())


def _best_of_copies(order: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Give for each candidate the best-ranked, of those in the order, that shares its number.

    -1 where none in the order does.
    """
    best = np.full(len(place), -1)
    best[place[order[::-1]]] = order[::-1]  # where a number occurs again, the last one stays
    return best[place]


def _check(
    ids: pa.Array,
    scores: np.ndarray,
    tokens: np.ndarray,
    token_budget: int,
    embeddings: Vectors | None,
    near_duplicate_cosine: float | None,
    reasons: np.ndarray,
) -> None:
    n = len(ids)
    shapes = {one.shape for one in (scores, tokens, reasons)}
    if shapes != {(n,)}:
        raise ValueError(
            "row_id, score, n_tokens and reason must each have shape (n,), got "
            f"{(n,)}, {scores.shape}, {tokens.shape} and {reasons.shape}"
        )
    if not np.isfinite(scores).all():
        first = int((~np.isfinite(scores)).argmax())
        raise ValueError(
            f"row {ids[first].as_py()} has score {scores[first]}; scores must be finite"
        )
    if n and not np.issubdtype(tokens.dtype, np.integer):
        raise ValueError(f"n_tokens must be integers, got {tokens.dtype}")
    if n and tokens.min() < 1:
        first = int((tokens < 1).argmax())
        raise ValueError(
            f"row {ids[first].as_py()} has {tokens[first]} tokens; a row costs at least 1"
        )
    if token_budget < 0:
        raise ValueError(f"token_budget is {token_budget}; it must not be negative")
    if near_duplicate_cosine is not None and embeddings is None:
        raise ValueError(
            "near-duplicates are found by embeddings and none were given; "
            "pass embeddings, or near_duplicate_cosine=None to keep near-duplicates"
        )
    if embeddings is not None and len(embeddings) != n:
        raise ValueError(f"embeddings has {len(embeddings)} rows for {n} candidates")
    taken = sorted(set(reasons.tolist()) & set(_FATES))
    if taken:
        raise ValueError(f"the reason {taken[0]!r} of an exclusion is a fate; use another word")
