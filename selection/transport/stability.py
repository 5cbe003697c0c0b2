"""How much of the top of a ranking two solves agree on, and what that says of a full solve."""

from __future__ import annotations

import math

import numpy as np


def top_overlap(f_N: np.ndarray, other_N: np.ndarray, *, share: float) -> float:
    """Share of the best rows (smallest potentials) of one solve that are among the other's best.

    Parameters
    ----------
    f_N, other_N : arrays of shape (N,)
        Potentials of the same rows from two solves.
    share : float
        In (0, 1]: the best ``ceil(share N)`` rows, at least one.
    """
    k = math.ceil(share * len(f_N))
    tops = [np.argpartition(values, k - 1)[:k] for values in (f_N, other_N)]
    return len(np.intersect1d(*tops, assume_unique=True)) / k


def estimated_overlap(overlap_of_halves: float, share_solved: float) -> float:
    """Overlap to expect of a solve on a sample with one on the whole pool.

    Let a solve on n rows miss the whole pool's potentials by an error of size s. Solves on two
    independent halves then differ by 2 s, and the one on the n rows differs from the whole
    pool's by ``s sqrt(1 - n / N)``. Rows that change places at a cut-off are, to first order,
    proportional to the error, so are the shares missed. `docs/transport.md` compares this estimate
    with full solves on real embeddings.

    Parameters
    ----------
    overlap_of_halves : float
        In [0, 1]: `top_overlap` of the two halves of the sample.
    share_solved : float
        n / N, the sample as a share of the pool.
    """
    return 1.0 - (1.0 - overlap_of_halves) / 2.0 * math.sqrt(1.0 - share_solved)
