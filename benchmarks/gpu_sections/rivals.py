"""How long do other solvers take to reach the same marginal residual on the same problem?

The judge is the same for all: with a solver's target potentials g, every row takes its exact
potential, and the residual is the L1 error of the target's marginal in float64.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from gpu_sections.clock import Machine
from gpu_sections.correctness import residual_in_float64
from gpu_sections.large_problem import TOL, Way, solve
from gpu_sections.pool import Problem, make_problem
from selection.transport.precision import Precision, products_in
from selection.transport.solution import Potentials

# Entries of a block of the plain solver.
_BLOCK_ENTRIES = 2**27

Solver = Callable[[int], torch.Tensor]
"""Takes a number of steps, gives g after them, from nothing."""


def compare_solvers(machine: Machine) -> dict[str, Any]:
    """Give each solver's seconds at the fewest steps that reach the tolerance."""
    sizes = machine.sizes
    problem = make_problem(sizes.rivals, sizes.targets, sizes.width, machine.device)
    figures: dict[str, Any] = {"rows": sizes.rivals, "targets": sizes.targets, "tol": TOL}
    for way in (Way(one, path) for one in machine.precisions for path in ("streamed", "cached")):
        call = partial(solve, problem.pool_ND, problem.target_MD, way, machine)
        solved = call()
        figures[f"ours_{way}_seconds"] = machine.median(call)
        figures[f"ours_{way}_passes"] = solved.iterations
        figures[f"ours_{way}_residual"] = judged(solved, solved.g, problem)
    x_ND, y_MD = (
        torch.nn.functional.normalize(rows.float(), dim=1)
        for rows in (problem.pool_ND, problem.target_MD)
    )
    for precision in machine.precisions:
        if precision != "bfloat16":
            plain = plain_solver(x_ND, y_MD, solved.eps, precision)
            found = at_equal_residual(plain, solved, problem, machine)
            figures |= {f"plain_torch_{precision}_{name}": value for name, value in found.items()}
    return figures | flash(x_ND, y_MD, solved, problem, machine)


def flash(
    x_ND: torch.Tensor, y_MD: torch.Tensor, solved: Potentials, problem: Problem, machine: Machine
) -> dict[str, Any]:
    """Run flash-sinkhorn's alternating solver, with TF32 products and without, where it can run."""
    if not machine.on_gpu:
        return {"flash_sinkhorn": "skipped: it needs a CUDA device"}
    if importlib.util.find_spec("flash_sinkhorn") is None:
        return {"flash_sinkhorn": "skipped: not installed"}
    peer = importlib.import_module("flash_sinkhorn")
    figures: dict[str, Any] = {"flash_sinkhorn": peer.__version__}
    for tf32 in (True, False):

        def steps(count: int, tf32: bool = tf32) -> torch.Tensor:
            options = {"backend": "alternating", "use_epsilon_scaling": False, "potentials": True}
            solver = peer.SamplesLoss(**options, eps=solved.eps, n_iters=count, allow_tf32=tf32)
            return solver(x_ND, y_MD)[1]

        name = f"flash_sinkhorn_{'tf32' if tf32 else 'float32'}"
        # Its kernels are tuned at the first call for a size.
        figures[f"{name}_first_call_seconds"] = machine.timed(partial(steps, 1))[1]
        found = at_equal_residual(steps, solved, problem, machine)
        figures |= {f"{name}_{key}": value for key, value in found.items()}
    return figures


def at_equal_residual(
    steps: Solver, solved: Potentials, problem: Problem, machine: Machine
) -> dict[str, Any]:
    """Give steps, seconds and residual at the fewest steps that reach the tolerance.

    Found by doubling and halving; each try begins from nothing and does not count. A solver that
    does not reach it within the steps allowed is reported with the residual it has then.
    """
    residuals: dict[int, float] = {}

    def reaches(count: int) -> bool:
        residuals[count] = judged(solved, steps(count).double().cpu().numpy(), problem)
        return residuals[count] <= TOL

    high = 1
    while not reaches(high) and high < machine.sizes.most_steps:
        high = min(2 * high, machine.sizes.most_steps)
    low = high // 2
    while residuals[high] <= TOL and high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    seconds = machine.median(lambda: steps(high), warm_up=0)
    return {
        "steps": high,
        "seconds": seconds,
        "residual": residuals[high],
        "reached": residuals[high] <= TOL,
    }


def judged(solved: Potentials, g_M: Any, problem: Problem) -> float:
    """Residual of target potentials at the eps and weights of a solve, in float64."""
    return residual_in_float64(replace(solved, g=g_M), problem.pool_ND, problem.target_MD)


def plain_solver(
    x_ND: torch.Tensor, y_MD: torch.Tensor, eps: float, precision: Precision
) -> Solver:
    """Textbook log-domain Sinkhorn in torch, on unit rows with uniform weights, block by block."""
    n, m = len(x_ND), len(y_MD)
    size = max(1, _BLOCK_ENTRIES // m)
    log_n, log_m = (torch.tensor(float(count), device=x_ND.device).log() for count in (n, m))

    def steps(count: int) -> torch.Tensor:
        g_M = x_ND.new_zeros(m)
        with products_in(precision):
            for _ in range(count):
                column_M = x_ND.new_full((m,), -torch.inf)
                for x_BD in x_ND.split(size):
                    exponent_BM = (2.0 * x_BD @ y_MD.T - 2.0) / eps
                    # f_i = -eps log sum_j b_j exp((g_j - c_ij) / eps)
                    f_over_eps_B = -torch.logsumexp(exponent_BM + (g_M / eps - log_m), dim=1)
                    block_M = torch.logsumexp(exponent_BM + (f_over_eps_B - log_n)[:, None], dim=0)
                    column_M = torch.logaddexp(column_M, block_M)
                # g_j = -eps log sum_i a_i exp((f_i - c_ij) / eps)
                g_M = -eps * column_M
        return g_M

    return steps
