"""Sinkhorn's fixed-point iteration on the target's potentials, with Anderson acceleration.

One step is ``g_j <- g_j - eps log(mass_j / b_j)`` (Peyré and Cuturi 2019, arXiv 1803.00567,
equation 4.15, the other half-step being exact in every pass). Anderson acceleration (Walker and Ni
2011, type II) combines the last few steps; `docs/transport.md` has what it saves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_DEPTH = 5
# A residual this much above the best one is a sign that the extrapolation left its basin.
_MAY_GROW = 2.0
# Keeps the small least-squares problem solvable when steps have become parallel.
_RIDGE = 1e-10

MassOf = Callable[["torch.Tensor", float], "torch.Tensor"]
"""Gives the mass each target row receives at (g, eps); float64, shape (M,)."""


@dataclass(frozen=True)
class Iterated:
    """Where an iteration stopped.

    Attributes
    ----------
    g_M : tensor of shape (M,), float64, ``sum_j b_j g_j = 0``
    mass_M : tensor of shape (M,), float64
        What each target row receives at ``g_M``.
    residual : float
        L1 distance of ``mass_M`` from b.
    converged : bool
        ``residual <= tol``.
    """

    g_M: torch.Tensor
    mass_M: torch.Tensor
    residual: float
    converged: bool


def anneal(
    mass_of: MassOf,
    g_M: torch.Tensor,
    b_M: torch.Tensor,
    eps_from: float,
    eps: float,
    report: Callable[[float], None],
) -> torch.Tensor:
    """Take one step at each eps, halved from ``eps_from`` down to above ``eps``; gives g."""
    while eps_from > eps:
        mass_M = mass_of(g_M, eps_from)
        report(_l1(mass_M, b_M))
        g_M = _centred(g_M + eps_from * log_ratio(b_M, mass_M), b_M)
        eps_from /= 2.0
    return g_M


def iterate(
    mass_of: MassOf,
    g_M: torch.Tensor,
    b_M: torch.Tensor,
    eps: float,
    *,
    tol: float,
    max_iterations: int,
    report: Callable[[float], None],
    accelerate: bool = True,
) -> Iterated:
    """Iterate at one eps until the target's marginal is within tol, at most max_iterations passes.

    Parameters
    ----------
    mass_of : see `MassOf`
    g_M : tensor of shape (M,), float64
        Where to start.
    b_M : tensor of shape (M,), float64
        Weights of the target, summing to one.
    report : called with the residual of each pass
    accelerate : bool
        Anderson acceleration; off for plain Sinkhorn.
    """
    g_M = _centred(g_M, b_M)
    memory: list[tuple[torch.Tensor, torch.Tensor]] = []
    best = float("inf")
    for passed in range(1, max_iterations + 1):
        mass_M = mass_of(g_M, eps)
        residual = _l1(mass_M, b_M)
        report(residual)
        # The residual belongs to this g, so the last pass must not move it.
        if residual <= tol or passed == max_iterations:
            return Iterated(g_M, mass_M, residual, residual <= tol)
        if residual > _MAY_GROW * best:
            memory.clear()
        best = min(best, residual)
        step_M = eps * log_ratio(b_M, mass_M)
        memory.append((g_M, step_M))
        del memory[: -_DEPTH if accelerate else -1]
        g_M = _centred(_mixed(memory), b_M)
    raise AssertionError("max_iterations is at least 1")


def _mixed(memory: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """Anderson's next iterate: the combination of past steps that would have been smallest."""
    import torch

    g_M, step_M = memory[-1]
    if len(memory) == 1:
        return g_M + step_M
    moved = torch.stack([g_M - past for past, _ in memory[:-1]], dim=1)
    changed = torch.stack([step_M - past for _, past in memory[:-1]], dim=1)
    # Columns of very different size would make the small problem look singular. It is solved by its
    # normal equations: LAPACK's least squares is not the same to the bit from call to call.
    scale = changed.norm(dim=0).clamp(min=torch.finfo(changed.dtype).tiny)
    changed, moved = changed / scale, moved / scale
    # Four by four, on the CPU: a GPU's solver takes longer to start than to solve it.
    gram = (changed.T @ changed).cpu() + _RIDGE * torch.eye(len(scale), dtype=g_M.dtype)
    weights = torch.linalg.solve(gram, (changed.T @ step_M).cpu())
    return g_M + step_M - (moved + changed) @ weights.to(g_M.device)


def log_ratio(b_M: torch.Tensor, mass_M: torch.Tensor) -> torch.Tensor:
    """``log(b / mass)``; a target row that no row reaches within float range moves a long way."""
    import torch

    return (b_M / mass_M.clamp(min=torch.finfo(torch.float32).tiny)).log()


def _l1(mass_M: torch.Tensor, b_M: torch.Tensor) -> float:
    return float((mass_M - b_M).abs().sum())


def _centred(g_M: torch.Tensor, b_M: torch.Tensor) -> torch.Tensor:
    return g_M - b_M @ g_M
