"""Score rows, seen in the solve or not: a row needs only the target's potentials."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from selection.transport.points import unit_rows
from selection.transport.softmin import (
    BLOCK_ENTRIES,
    add_log_mass,
    soft_assign,
    squared_distances,
)

if TYPE_CHECKING:
    import torch

    from selection.transport.potentials import Potentials


@dataclass(frozen=True)
class PoolFit:
    """How well a solve on a sample serves a whole pool of n rows.

    ``residual`` is the L1 error of the target's marginal when all n rows, equally weighted and
    with out-of-sample potentials, send their mass.
    """

    residual: float
    n: int


def score_rows(
    rows: ArrayLike | torch.Tensor,
    target: ArrayLike | torch.Tensor,
    potentials: Potentials,
    *,
    device: str | torch.device | None = None,
) -> np.ndarray:
    """Minus the calibrated gradient of the OT value with respect to each row's mass.

    Higher is better: giving mass to a row of high score lowers the distance to the target.

    Parameters
    ----------
    rows : array or tensor of shape (n, D), any float dtype; n may be 0
    target : array or tensor of shape (M, D)
        The target of the solve.
    potentials : Potentials
    device : str, torch.device or None
        None is the device of the rows when they are a tensor, else the CPU.

    Returns
    -------
    np.ndarray of shape (n,), float64
        In units of the cost; comparable between calls with the same potentials.
    """
    return calibrated_scores(row_potentials(rows, target, potentials, device=device), potentials)


def score_stream(
    blocks: Iterable[np.ndarray],
    target: ArrayLike | torch.Tensor,
    potentials: Potentials,
    *,
    device: str | torch.device | None = None,
) -> Iterator[np.ndarray]:
    """Score block after block, holding one block's cost at a time."""
    for rows_BD in blocks:
        yield score_rows(rows_BD, target, potentials, device=device)


def calibrated_scores(potential_N: np.ndarray, potentials: Potentials) -> np.ndarray:
    """Turn row potentials into scores (LAVA, arXiv 2305.00054, equation 1, negated).

    The gradient along "mass to row i, taken equally from the other N - 1" is
    ``f_i - sum_{k != i} f_k / (N - 1) = N / (N - 1) (f_i - mean f)``; N and the mean are those of
    the solve, for rows inside and outside it alike.
    """
    n = len(potentials.f)
    return -n / (n - 1) * (potential_N - potentials.f.mean())


def row_potentials(
    rows: ArrayLike | torch.Tensor,
    target: ArrayLike | torch.Tensor,
    potentials: Potentials,
    *,
    device: str | torch.device | None = None,
) -> np.ndarray:
    """Potentials f of any rows given the target's, in float64 with O(block x M) memory.

    Only ``g``, ``b`` and ``eps`` of the potentials are read.

    Returns
    -------
    np.ndarray of shape (n,), float64
    """
    import torch

    blocks = [f_B for f_B, _ in _assigned(rows, target, potentials, device)]
    return torch.cat(blocks).cpu().numpy() if blocks else np.empty(0)


def measure_pool(
    blocks: Iterable[np.ndarray],
    target: ArrayLike | torch.Tensor,
    potentials: Potentials,
    *,
    device: str | torch.device | None = None,
) -> PoolFit:
    """Measure the marginal residual over a whole pool in one pass.

    A solve on a sample is only as good for the pool as the sample is; this is the certificate.

    Raises
    ------
    ValueError
        The pool has no rows.
    """
    import torch

    log_mass_M: torch.Tensor | None = None
    n = 0
    for rows_BD in blocks:
        for f_B, log_share_BM in _assigned(rows_BD, target, potentials, device):
            if log_mass_M is None:
                log_mass_M = torch.full_like(log_share_BM[0], -torch.inf)
            log_mass_M = add_log_mass(log_mass_M, log_share_BM, torch.zeros_like(f_B))
            n += len(f_B)
    if log_mass_M is None:
        raise ValueError("the pool has no rows to measure; give at least one block with rows")
    mass_M = (log_mass_M - np.log(n)).exp().cpu().numpy()
    return PoolFit(float(np.abs(mass_M - potentials.b).sum()), n)


def _assigned(
    rows: ArrayLike | torch.Tensor,
    target: ArrayLike | torch.Tensor,
    potentials: Potentials,
    device: str | torch.device | None,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield (f, log share) of consecutive blocks of rows, in float64."""
    import torch

    if device is None:
        device = rows.device if isinstance(rows, torch.Tensor) else "cpu"
    target_MD = torch.from_numpy(unit_rows(target, "target")).to(device)
    if len(target_MD) != len(potentials.g):
        raise ValueError(
            f"target has {len(target_MD)} rows and the potentials have {len(potentials.g)}; "
            "score with the target of the solve, or solve again"
        )
    rows_ND = torch.from_numpy(unit_rows(rows, "rows", width=target_MD.shape[1], may_be_empty=True))
    g_M = torch.from_numpy(potentials.g).to(device)
    log_b_M = torch.from_numpy(np.log(potentials.b)).to(device)
    block_rows = max(1, BLOCK_ENTRIES // len(target_MD))
    for start in range(0, len(rows_ND), block_rows):
        rows_BD = rows_ND[start : start + block_rows].to(device)
        yield soft_assign(squared_distances(rows_BD, target_MD), g_M, log_b_M, potentials.eps)
