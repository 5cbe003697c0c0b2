"""Solve the dual of entropic optimal transport between candidates and a target.

``OT_eps(a, b) = min_P <P, C> + eps KL(P | a x b)`` over plans with marginals a and b. The KL is
relative to ``a x b``, so the derivative of the value with respect to a is the potential f
(envelope theorem; Peyré and Cuturi 2019, arXiv 1803.00567, section 9.1).

Shapes: N candidates, M target rows, D embedding width.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from selection.transport.points import LARGEST_COST, as_numpy, probability_weights, unit_rows
from selection.transport.scores import row_potentials
from selection.transport.softmin import CostBlocks, add_log_mass, soft_assign

if TYPE_CHECKING:
    import torch

DEFAULT_MEMORY_LIMIT = 2 * 2**30
_ANNEALING = 0.5
# Costs in float32 are uncertain by a few 1e-7; a mean below this is rounding, not distance.
_SMALLEST_COST = 1e-6


class NotConverged(ValueError):
    """The marginal residual was still above the tolerance at the last iteration allowed."""


@dataclass(frozen=True)
class Potentials:
    """Dual potentials of a solve, and how well it converged.

    The pair is fixed up to a constant that moves from f to g; here ``sum_j b_j g_j = 0``.

    Attributes
    ----------
    f : np.ndarray of shape (N,), float64
        Of the candidates, exactly the out-of-sample formula applied to g.
    g : np.ndarray of shape (M,), float64
        Of the target; all that scoring another row needs.
    b : np.ndarray of shape (M,), float64
        Weights of the target, summing to one.
    eps : float
        Regularisation in units of the cost (squared distance of unit vectors).
    residual : float
        L1 error of the target's marginal of the plan of (f, g); the candidates' is exact.
    iterations : int
    converged : bool
    history : tuple of float
        Residual at each iteration, annealing included.
    """

    f: np.ndarray
    g: np.ndarray
    b: np.ndarray
    eps: float
    residual: float
    iterations: int
    converged: bool
    history: tuple[float, ...]


def solve_potentials(
    candidates: ArrayLike | torch.Tensor,
    target: ArrayLike | torch.Tensor,
    *,
    eps_rel: float = 0.05,
    eps: float | None = None,
    a: ArrayLike | torch.Tensor | None = None,
    b: ArrayLike | torch.Tensor | None = None,
    tol: float = 1e-3,
    warm_start: ArrayLike | torch.Tensor | Potentials | None = None,
    memory_limit: int | None = None,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    max_iterations: int = 10_000,
    allow_unconverged: bool = False,
    report: Callable[[int, float], None] | None = None,
) -> Potentials:
    """Run Sinkhorn's algorithm in the log domain until the marginal residual is small.

    Parameters
    ----------
    candidates : array or tensor of shape (N, D), any float dtype
        Rows are scaled to unit length; N >= 2.
    target : array or tensor of shape (M, D)
    eps_rel : float
        Regularisation as a share of the mean cost under a x b.
    eps : float or None
        Regularisation in units of the cost; overrides eps_rel.
    a, b : arrays of shape (N,) and (M,), or None
        Positive weights, scaled to sum to one; None is uniform.
    tol : float
        L1 error allowed in the target's marginal, in (0, 2).
    warm_start : Potentials, array of shape (M,), or None
        Target potentials to start from, at the final eps; None anneals eps from the largest cost.
    memory_limit : int or None
        Bytes of cost to hold (2 GiB when None); beyond it the cost is recomputed in blocks.
    device : str, torch.device or None
        None is the device of the candidates when they are a tensor, else the CPU.
    dtype : "float32", "float64", the torch dtype of that name, or None
        Of the iterations, None being float32; the returned f is evaluated in float64.
    max_iterations : int
    allow_unconverged : bool
        Return the last iterate, with ``converged=False``, instead of raising.
    report : callable or None
        Called with (iteration, residual) at each iteration.

    Returns
    -------
    Potentials

    Raises
    ------
    NotConverged
        tol was not reached within max_iterations.
    ValueError
        Inputs that cannot be used, naming the first bad row or the option.
    """
    import torch

    _check_options(eps_rel, eps, tol, max_iterations, memory_limit)
    work_dtype = _work_dtype(dtype)
    if device is None:
        device = candidates.device if isinstance(candidates, torch.Tensor) else "cpu"
    numpy_dtype = np.float32 if work_dtype == torch.float32 else np.float64
    candidates_ND = unit_rows(candidates, "candidates", dtype=numpy_dtype)
    n, width = candidates_ND.shape
    if n < 2:
        raise ValueError(
            "candidates has 1 row: a gradient calibrated against the other rows needs at least 2"
        )
    target_MD = unit_rows(target, "target", dtype=numpy_dtype, width=width)
    a_N = probability_weights(a, n, "a")
    b_M = probability_weights(b, len(target_MD), "b")
    if eps is None:
        mean_cost = _mean_cost(candidates_ND, target_MD, a_N, b_M)
        if mean_cost < _SMALLEST_COST:
            raise ValueError(
                f"the mean cost is zero within rounding ({mean_cost:.1e}): every candidate equals "
                "every target row, so nothing can be ranked; give other rows, or eps"
            )
        eps = eps_rel * mean_cost

    def to_device(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values).to(device=device, dtype=work_dtype)

    blocks = CostBlocks.within(
        to_device(candidates_ND), to_device(target_MD), memory_limit or DEFAULT_MEMORY_LIMIT
    )
    log_a_N, log_b_M = to_device(np.log(a_N)), to_device(np.log(b_M))
    g_M = to_device(_starting_potential(warm_start, len(target_MD)))
    eps_now = eps if warm_start is not None else max(eps, LARGEST_COST)
    history: list[float] = []
    while True:
        log_mass_M = torch.full_like(g_M, -math.inf)
        for block, cost_BM in blocks:
            _, log_share_BM = soft_assign(cost_BM, g_M, log_b_M, eps_now)
            log_mass_M = add_log_mass(log_mass_M, log_share_BM, log_a_N[block])
        history.append(float((log_mass_M.exp() - log_b_M.exp()).abs().sum()))
        if report is not None:
            report(len(history), history[-1])
        converged = eps_now == eps and history[-1] <= tol
        # The residual belongs to this g, so the last iteration must not move it.
        if converged or len(history) == max_iterations:
            break
        g_M = g_M - eps_now * (log_mass_M - log_b_M)
        eps_now = max(eps, eps_now * _ANNEALING)
    if not (converged or allow_unconverged):
        raise NotConverged(
            f"marginal residual {history[-1]:.3g} > tol {tol:g} after {len(history)} iterations at "
            f"eps {eps_now:.3g} (aim {eps:.3g}); raise eps_rel, tol or max_iterations, or use "
            "dtype float64 when tol is below 1e-5"
        )
    g = g_M.double().cpu().numpy()
    g = g - b_M @ g
    solved = Potentials(
        np.empty(0), g, b_M, eps, history[-1], len(history), converged, tuple(history)
    )
    return replace(solved, f=row_potentials(candidates, target, solved, device=device))


def _check_options(
    eps_rel: float, eps: float | None, tol: float, max_iterations: int, memory_limit: int | None
) -> None:
    """Refuse options with the value given and what is allowed."""
    for name, value in (("eps_rel", eps_rel), ("eps", eps), ("tol", tol)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} is {value}; it must be positive and finite")
    for name, value in (("max_iterations", max_iterations), ("memory_limit", memory_limit)):
        if value is not None and value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1")


def _work_dtype(dtype: str | torch.dtype | None) -> torch.dtype:
    import torch

    allowed = {"float32": torch.float32, "float64": torch.float64}
    name = "float32" if dtype is None else str(dtype).removeprefix("torch.")
    if name not in allowed:
        raise ValueError(f"dtype is {name}; iterations run in one of {sorted(allowed)}")
    return allowed[name]


def _mean_cost(
    candidates_ND: np.ndarray, target_MD: np.ndarray, a_N: np.ndarray, b_M: np.ndarray
) -> float:
    """Mean of 2 - 2 <x, y> under a x b: exact from the two weighted means, no sample needed."""
    return 2.0 - 2.0 * float((a_N @ candidates_ND) @ (b_M @ target_MD))


def _starting_potential(
    warm_start: ArrayLike | torch.Tensor | Potentials | None, m: int
) -> np.ndarray:
    if warm_start is None:
        return np.zeros(m)
    g_M = warm_start.g if isinstance(warm_start, Potentials) else as_numpy(warm_start)
    if g_M.shape != (m,) or not np.isfinite(g_M).all():
        raise ValueError(
            f"warm_start must hold one finite potential for each of the {m} target rows, "
            f"got shape {g_M.shape}; solve without it when the target changed"
        )
    return g_M.astype(np.float64)
