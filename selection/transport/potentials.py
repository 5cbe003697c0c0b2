"""Solve the dual of entropic optimal transport between candidates and a target.

``OT_eps(a, b) = min_P <P, C> + eps KL(P | a x b)`` over plans with marginals a and b. The KL is
relative to ``a x b``, so the derivative of the value with respect to a is the potential f
(envelope theorem; Peyré and Cuturi 2019, arXiv 1803.00567, section 9.1).

Shapes: N candidates, M target rows, D embedding width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from numpy.typing import ArrayLike

from selection.transport.options import (
    check_options,
    choose_path,
    default_memory_limit,
    precisions_to_try,
    starting_potential,
)
from selection.transport.points import UnitRows, probability_weights
from selection.transport.precision import Precision
from selection.transport.problem import Problem
from selection.transport.solution import Path, Potentials

if TYPE_CHECKING:
    import torch


class NotConverged(ValueError):
    """The marginal residual was still above the tolerance at the last iteration allowed."""


def solve_potentials(
    candidates: ArrayLike | torch.Tensor,
    target: ArrayLike | torch.Tensor,
    *,
    eps_rel: float = 0.02,
    eps: float | None = None,
    a: ArrayLike | torch.Tensor | None = None,
    b: ArrayLike | torch.Tensor | None = None,
    tol: float = 1e-3,
    warm_start: ArrayLike | torch.Tensor | Potentials | None = None,
    memory_limit: int | None = None,
    path: Path | Literal["auto"] = "auto",
    device: str | torch.device | None = None,
    precision: Precision | Literal["auto"] = "float32",
    accelerate: bool = True,
    max_iterations: int = 10_000,
    allow_unconverged: bool = False,
    report: Callable[[int, float], None] | None = None,
) -> Potentials:
    """Run stabilised Sinkhorn until the marginal residual is small.

    Parameters
    ----------
    candidates : array or tensor of shape (N, D), any float dtype
        Rows are scaled to unit length as they are read; N >= 2. A memory map is never held whole.
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
        Target potentials to start from, at the final eps; without them a small eps is annealed.
    memory_limit : int or None
        Bytes of kernel to hold; None is 2 GiB, or half of what a GPU has free.
    path : "auto", "cached" or "streamed"
        Hold the kernel, or evaluate it anew in each pass; auto holds it when the limit allows.
    device : str, torch.device or None
        None is the device of the candidates when they are a tensor, else the CPU.
    precision : "auto", "float64", "float32", "tf32" or "bfloat16"
        Of the products of rows and target. tf32 and bfloat16 add an error to the marginal, which
        is measured and counted in the residual; auto tries the faster one that the device has,
        unless tol is below its error, and goes on in float32 when tol is out of its reach.
    accelerate : bool
        Anderson acceleration; off for plain Sinkhorn.
    max_iterations : int
        Passes at most.
    allow_unconverged : bool
        Return the last iterate, with ``converged=False``, instead of raising.
    report : callable or None
        Called with (pass, residual) after each pass.

    Returns
    -------
    Potentials

    Raises
    ------
    NotConverged
        tol was not reached within max_iterations, or not in the precision asked for.
    ValueError
        Inputs that cannot be used, naming the first bad row or the option.
    """
    import torch

    check_options(eps_rel, eps, tol, max_iterations, memory_limit)
    if device is None:
        device = candidates.device if isinstance(candidates, torch.Tensor) else "cpu"
    device = torch.device(device)
    ladder = precisions_to_try(precision, device, tol)
    dtype = torch.float64 if ladder == ("float64",) else torch.float32
    rows = UnitRows(candidates, "candidates", device=device, dtype=dtype).resident()
    n = len(rows)
    if n < 2:
        raise ValueError(
            "candidates has 1 row: a gradient calibrated against the other rows needs at least 2"
        )
    target_rows = UnitRows(target, "target", device=device, dtype=dtype, width=rows.width)
    m = len(target_rows)
    memory_limit = memory_limit or default_memory_limit(device)
    # torch.tensor copies into aligned memory: sums over it are the same to the bit every time.
    problem = Problem(
        rows=rows,
        target_MD=target_rows[:m],
        a_N=torch.tensor(probability_weights(a, n, "a"), device=device, dtype=dtype),
        b_M=torch.tensor(probability_weights(b, m, "b"), device=device),
        path=choose_path(path, n, m, dtype.itemsize, memory_limit),
        memory_limit=memory_limit,
        report=report,
    )
    if eps is None:
        eps = eps_rel * problem.mean_cost()
    start = None if warm_start is None else starting_potential(warm_start, m)
    for attempt in ladder:
        solved = problem.solve(
            attempt, start, eps, tol=tol, max_iterations=max_iterations, accelerate=accelerate
        )
        if solved.converged or problem.passes >= max_iterations:
            break
        start = solved.g
    if not (solved.converged or allow_unconverged):
        error = solved.precision_error
        own = f" (whose own error is {error:.2g})" if error else ""
        raise NotConverged(
            f"marginal residual {solved.residual:.3g} > tol {tol:g} after {problem.passes} passes "
            f"at eps {eps:.3g} in {attempt}{own}; raise eps_rel, tol or max_iterations, or use a "
            "higher precision: float32 for tol below 1e-3, float64 for tol below 1e-5"
        )
    return solved
