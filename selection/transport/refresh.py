"""Bring a solve up to date with rows that were added, without passing over the old ones again.

What the old rows send to the target at the old potentials is known from the old solve. When the
potentials move a little, only the *change* of it is needed, and a sample of the old rows tells
that with little noise (a control variate, as in SVRG: Johnson and Zhang, NeurIPS 2013). So a
refresh costs the new rows and a sample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from selection.transport.kernel import GibbsKernel
from selection.transport.marginals import Marginals
from selection.transport.options import check_target
from selection.transport.points import UnitRows
from selection.transport.precision import Precision, check_precision, work_dtype
from selection.transport.sinkhorn import iterate
from selection.transport.solution import Potentials

if TYPE_CHECKING:
    import torch

# Old rows sampled at first; four times as many while the noise is too large.
_SAMPLE_ROWS = 1024
_GROWTH = 4
# Beyond this share of the old rows, passing over all of them is hardly dearer, and exact.
_LARGEST_SHARE = 0.5


def refresh_potentials(
    previous: Potentials,
    old_rows: ArrayLike | torch.Tensor,
    new_rows: ArrayLike | torch.Tensor,
    target: ArrayLike | torch.Tensor,
    *,
    tol: float = 1e-3,
    device: str | torch.device | None = None,
    precision: Precision = "float32",
    max_iterations: int = 1000,
) -> Potentials | None:
    """Solve for old and new rows together, starting from the old rows' solve, at its eps.

    Parameters
    ----------
    previous : Potentials
        Of `solve_potentials` or of this function, for ``old_rows`` with uniform weights.
    old_rows : array or tensor of shape (n, D)
        All rows of that solve, in any order.
    new_rows : array or tensor of shape (n_new, D), n_new >= 1
    target : array or tensor of shape (M, D)
        The target of that solve.
    tol : float
        L1 error allowed in the target's marginal over old and new rows, the estimated noise of
        the sample included.
    device, precision, max_iterations
        As in `solve_potentials`.

    Returns
    -------
    Potentials or None
        ``f`` is that of the rows passed over, the sample and the new ones; ``n`` and ``mean_f``
        are those of all rows. None when tol is out of reach without most of the old rows: then
        solve anew, with ``previous`` as the warm start.

    Raises
    ------
    ValueError
        Rows that cannot be used, or another number of old rows than the solve had.
    """
    import torch

    if device is None:
        device = new_rows.device if isinstance(new_rows, torch.Tensor) else "cpu"
    device = torch.device(device)
    dtype = work_dtype(check_precision(precision, device))
    old = UnitRows(old_rows, "old rows", device=device, dtype=dtype)
    if len(old) != previous.n:
        raise ValueError(
            f"there are {len(old)} old rows and the solve had {previous.n}; give that solve's rows"
        )
    new = UnitRows(new_rows, "new rows", device=device, dtype=dtype, width=old.width)
    target_rows = UnitRows(target, "target", device=device, dtype=dtype, width=old.width)
    check_target(len(target_rows), previous.g)
    target_MD = target_rows[: len(target_rows)]
    g_M, b_M = (torch.tensor(values, device=device) for values in (previous.g, previous.b))
    mass_M = torch.tensor(previous.mass, device=device)

    def marginals(rows: UnitRows) -> Marginals:
        a_N = torch.full((len(rows),), 1.0 / len(rows), device=device, dtype=dtype)
        kernel = GibbsKernel(target_MD, b_M.log(), precision)
        return Marginals(rows, a_N, kernel, len(b_M), cached=True)

    old_share = len(old) / (len(old) + len(new))
    flops = 0.0
    added = marginals(new)
    for stride in _strides(len(old)):
        # Interleaved, and together a sample of every stride-th row.
        halves = [marginals(old.every(2 * stride, first)) for first in (0, stride)]
        change = _Change(halves, g_M, previous.eps)

        def mass_of(g_now_M: torch.Tensor, eps: float, change: _Change = change):
            old_mass_M = mass_M + change.at(g_now_M, eps)
            return old_share * old_mass_M + (1.0 - old_share) * added.at(g_now_M, eps)

        history: list[float] = []
        reached = iterate(
            mass_of,
            g_M,
            b_M,
            previous.eps,
            # Half the tolerance is left to the noise of the sample.
            tol=tol / 2.0,
            max_iterations=max_iterations,
            report=history.append,
        )
        flops += sum(half.flops for half in halves)
        residual = reached.residual + old_share * change.noise
        if not (reached.converged and residual <= tol):
            continue
        f_new_N = added.row_potentials()
        mean_f = old_share * (previous.mean_f + change.of_mean_f())
        mean_f += (1.0 - old_share) * float(f_new_N.mean())
        f_N = torch.cat([*(half.row_potentials() for half in halves), f_new_N])
        return Potentials(
            f=f_N.cpu().numpy(),
            g=reached.g_M.cpu().numpy(),
            b=previous.b,
            n=len(old) + len(new),
            mean_f=mean_f,
            eps=previous.eps,
            residual=residual,
            converged=True,
            history=tuple(history),
            mass=reached.mass_M.cpu().numpy(),
            path="cached",
            precision=precision,
            precision_error=0.0,
            peak_bytes=added.held_bytes + sum(half.held_bytes for half in halves),
            flops=flops + added.flops,
        )
    return None


class _Change:
    """How the old rows' mass and mean potential change as g moves, by two halves of a sample."""

    def __init__(self, halves: list[Marginals], g_M: torch.Tensor, eps: float) -> None:
        self._halves = halves
        self._mass_before = [half.at(g_M, eps) for half in halves]
        self._f_before = self._mean_f()
        self.noise = 0.0

    def at(self, g_M: torch.Tensor, eps: float) -> torch.Tensor:
        """Change of the mass at g; `noise` is then the L1 error it may have."""
        first, second = (
            half.at(g_M, eps) - before
            for half, before in zip(self._halves, self._mass_before, strict=True)
        )
        # The mean of two independent halves is off by about half of their difference, and by more
        # in one case of two: all of the difference is counted.
        self.noise = float((first - second).abs().sum())
        return (first + second) / 2.0

    def of_mean_f(self) -> float:
        """Change of the rows' mean potential at the g of the last call."""
        return self._mean_f() - self._f_before

    def _mean_f(self) -> float:
        return float(np.mean([float(half.row_potentials().mean()) for half in self._halves]))


def _strides(n: int) -> list[int]:
    """Strides of samples of growing size, while they leave out most of n rows."""
    strides = []
    rows = _SAMPLE_ROWS
    while rows <= _LARGEST_SHARE * n:
        strides.append(n // rows)
        rows *= _GROWTH
    return strides
