"""How far one set of rows is from another: exact optimal transport, by POT."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from selection.transport.points import probability_weights, unit_rows

if TYPE_CHECKING:
    import torch

_PIVOTS = 2_000_000


@dataclass(frozen=True)
class OtDistance:
    """Exact transport cost between two sets of unit rows.

    Attributes
    ----------
    distance : float
        Mean squared Euclidean distance travelled, in [0, 4].
    rows_x, rows_y : int
        Rows used on each side.
    """

    distance: float
    rows_x: int
    rows_y: int


def ot_distance(
    x: ArrayLike | torch.Tensor,
    y: ArrayLike | torch.Tensor,
    *,
    a: ArrayLike | torch.Tensor | None = None,
    b: ArrayLike | torch.Tensor | None = None,
    seed: int = 0,
    max_rows: int = 1000,
) -> OtDistance:
    """Exact OT between two sets, each cut to a seeded sample when it is larger than max_rows.

    The sample is chosen by the rows' content, not their place, so that a set is at distance zero
    from itself in any order. Between different sets a sample of n rows overstates the distance,
    more so the smaller n: compare distances only at equal rows_x and rows_y.

    Parameters
    ----------
    x, y : arrays or tensors of shape (n, D) and (m, D), any float dtype
    a, b : arrays of shape (n,) and (m,), or None
        Positive weights; a sample's weights are scaled to sum to one again.
    seed : int
    max_rows : int
        Rows of each side at most; the solver's time grows a little faster than its square.

    Raises
    ------
    ValueError
        Unusable rows or weights, or a problem the network simplex could not finish.
    """
    import ot

    if max_rows < 1:
        raise ValueError(f"max_rows is {max_rows}; it must be at least 1")
    x_ND = unit_rows(x, "x")
    y_MD = unit_rows(y, "y", width=x_ND.shape[1])
    a_N = probability_weights(a, len(x_ND), "a")
    b_M = probability_weights(b, len(y_MD), "b")
    kept_x = _sample(x_ND, seed, max_rows)
    kept_y = _sample(y_MD, seed, max_rows)
    cost = np.maximum(2.0 - 2.0 * x_ND[kept_x] @ y_MD[kept_y].T, 0.0)
    distance, log = ot.emd2(
        a_N[kept_x] / a_N[kept_x].sum(),
        b_M[kept_y] / b_M[kept_y].sum(),
        cost,
        numItermax=_PIVOTS,
        log=True,
    )
    if log["warning"] is not None:
        raise ValueError(
            f"exact transport between {cost.shape[0]} and {cost.shape[1]} rows did not finish: "
            f"{log['warning']}; lower max_rows"
        )
    return OtDistance(float(distance), len(kept_x), len(kept_y))


def _sample(rows_ND: np.ndarray, seed: int, max_rows: int) -> np.ndarray:
    """Give the indices of the max_rows rows with the smallest keyed hash of their content."""
    if len(rows_ND) <= max_rows:
        return np.arange(len(rows_ND))
    key = seed.to_bytes(8, "little", signed=True)
    hashes = [blake2b(row.tobytes(), key=key, digest_size=8).digest() for row in rows_ND]
    return np.argsort(np.array(hashes, dtype="S8"), kind="stable")[:max_rows]
