"""Is every path of the engine on this device right, against float64 on the CPU?"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from gpu_sections.clock import Machine
from gpu_sections.pool import Problem, make_problem
from selection.transport.pool_pass import PoolPass
from selection.transport.potentials import solve_potentials
from selection.transport.precision import Precision
from selection.transport.solution import Potentials, Side
from selection.transport.stability import top_overlap

TOL = 1e-3
REFERENCE_TOL = 1e-6
TOP_SHARE = 0.01
LEAST_OVERLAP = 0.99
_PATHS = ("cached", "streamed")


def check_correctness(machine: Machine) -> dict[str, Any]:
    """Solve in each precision and path, and compare; ``failures`` names what is wrong.

    For each solve: the residual of its g, computed anew in float64 on the CPU; the largest distance
    of its potentials from those of a float64 solve to 1e-6, in units of eps (mostly the tolerance);
    and the share of that solve's best 1 % that float32 scores at its g find.

    For each precision of a scoring pass: the same distance and share at the float64 solve's own g,
    which is the arithmetic's error alone. bfloat16 rounds the rows, so its scores are reported and
    not held to the share: what it solves is to be scored in a higher precision.
    """
    n, m = machine.sizes.small
    problem = make_problem(n, m, machine.sizes.width, machine.device)
    pool_ND, target_MD = problem.pool_ND.cpu(), problem.target_MD.cpu()
    exact = solve_potentials(
        pool_ND, target_MD, precision="float64", tol=REFERENCE_TOL, memory_limit=2**33
    )
    figures: dict[str, Any] = {"rows": n, "targets": m, "eps": exact.eps}
    failures: list[str] = []

    def demand(name: str, overlap: float) -> None:
        if overlap < LEAST_OVERLAP:
            failures.append(f"{name}: top overlap {overlap:.3f}, at least {LEAST_OVERLAP}")

    for precision in machine.precisions:
        scored_N = potentials_at(exact, problem, precision)
        overlap = top_overlap(scored_N, exact.f, share=TOP_SHARE)
        figures[f"scored_in_{precision}_max_error_in_eps"] = _distance(scored_N, exact)
        figures[f"scored_in_{precision}_top_overlap"] = overlap
        if precision != "bfloat16":
            demand(f"scored in {precision}", overlap)
        for path in _PATHS:
            solved = solve_potentials(
                problem.pool_ND,
                problem.target_MD,
                tol=TOL,
                precision=precision,
                path=path,
                allow_unconverged=True,
            )
            name = f"{precision}_{path}"
            scored_N = potentials_at(solved, problem, "float32")
            residual = residual_in_float64(solved, pool_ND, target_MD)
            overlap = top_overlap(scored_N, exact.f, share=TOP_SHARE)
            figures[f"{name}_residual"] = residual
            figures[f"{name}_claimed_residual"] = solved.residual
            figures[f"{name}_max_error_in_eps"] = _distance(scored_N, exact)
            figures[f"{name}_top_overlap"] = overlap
            demand(name, overlap)
            if residual > TOL:
                failures.append(f"{name}: residual {residual:.2g} in float64, allowed {TOL:g}")
    return {**figures, "failures": failures}


def potentials_at(solved: Potentials, problem: Problem, precision: Precision) -> np.ndarray:
    """Potentials of the pool's rows at a solve's g, by a scoring pass on the device."""
    one_pass = PoolPass([Side(problem.target_MD, solved)], precision=precision)
    return np.concatenate([f_SB[0] for f_SB in one_pass.over([problem.pool_ND])])


def residual_in_float64(
    solved: Potentials, pool_ND: torch.Tensor, target_MD: torch.Tensor
) -> float:
    """L1 error of the target's marginal over the pool, in float64 where the rows are."""
    precision: Precision = "float64"
    one_pass = PoolPass([Side(target_MD, solved)], precision=precision)
    for _ in one_pass.over(pool_ND.split(2**16)):
        pass
    return one_pass.fits()[0].residual


def _distance(f_N: np.ndarray, exact: Potentials) -> float:
    return float(np.abs(f_N - exact.f).max() / exact.eps)
