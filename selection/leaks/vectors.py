"""Which rows of a pool say nearly what a held-out row says, by their vectors?"""

from __future__ import annotations

import numpy as np

from selection.leaks.held_out import TEMPLATE_ROWS
from selection.leaks.kinds import NEAR
from selection.leaks.texts import Leaks
from selection.neighbours.targets import nearest_targets


def telling_rows(held_out_MD: np.ndarray, cosine: float) -> np.ndarray:
    """Mark the held-out rows of which a row with this cosine is a near-duplicate.

    Where more than `TEMPLATE_ROWS` other held-out rows are as near, nearness tells of what they
    have in common, or of the embedder, and not of the row.

    Parameters
    ----------
    held_out_MD : np.ndarray of shape (M, D)
        Vectors of rows that are distinct by their words.

    Returns
    -------
    np.ndarray of shape (M,), bool
    """
    m = len(held_out_MD)
    others = TEMPLATE_ROWS + 1
    if m <= others:
        return np.ones(m, dtype=bool)
    _, cosines_MK = nearest_targets(held_out_MD, held_out_MD, others + 1)  # itself too
    return cosines_MK[:, -1] < cosine


def find_leaking_vectors(
    rows: np.ndarray, held_out_MD: np.ndarray, numbers_M: np.ndarray, *, cosine: float
) -> Leaks:
    """Find the rows of one source whose cosine to a held-out row is at least so much.

    Parameters
    ----------
    rows : np.ndarray of shape (n, D), any float dtype
    held_out_MD : np.ndarray of shape (M, D)
        Those that `telling_rows` marks.
    numbers_M : np.ndarray of shape (M,), int64
        Their numbers.
    """
    if not len(rows) or not len(held_out_MD):
        nothing = np.empty(0, dtype=np.int64)
        return Leaks(nothing, np.empty(0, dtype=str), nothing)
    nearest_N1, cosines_N1 = nearest_targets(rows, held_out_MD, 1)
    place = np.flatnonzero(cosines_N1[:, 0] >= cosine)
    return Leaks(place, np.full(len(place), NEAR), numbers_M[nearest_N1[place, 0]])
