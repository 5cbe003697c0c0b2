"""POT's solvers, each called the way its own users would call it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from transport_problem import Prepared, Problem, Ready, Solved, arrays_of, to_numpy

# The lazy cost is evaluated in blocks of this many rows.
LAZY_ROWS = 1024


def pot_sinkhorn(problem: Problem, method: str, library: str) -> Prepared:
    """Prepare `ot.sinkhorn` on a dense cost."""
    import ot

    x_ND, y_MD, a_N, b_M = arrays_of(problem, library)
    logarithms = {
        "sinkhorn": lambda log: (np.log(to_numpy(log["u"])), np.log(to_numpy(log["v"]))),
        "sinkhorn_log": lambda log: (to_numpy(log["log_u"]), to_numpy(log["log_v"])),
        "sinkhorn_stabilized": lambda log: (to_numpy(log["logu"]), to_numpy(log["logv"])),
    }

    def ready(tol: float, iterations: int) -> Ready:
        def call() -> Solved:
            solved: Any = ot.sinkhorn(
                a_N,
                b_M,
                ot.dist(x_ND, y_MD),
                problem.eps,
                method=method,
                numItermax=iterations,
                stopThr=0.0,
                log=True,
                warn=False,
            )
            log_u_N, log_v_M = logarithms[method](solved[1])
            return Solved(problem.eps * log_u_N, problem.eps * log_v_M, iterations)

        return call

    return ready


def pot_lazy(problem: Problem, library: str) -> Prepared:
    """Prepare `ot.bregman.empirical_sinkhorn` that evaluates the cost anew in each iteration."""
    import ot

    x_ND, y_MD, a_N, b_M = arrays_of(problem, library)

    def ready(tol: float, iterations: int) -> Ready:
        def call() -> Solved:
            found: Any = ot.bregman.empirical_sinkhorn(
                x_ND,
                y_MD,
                problem.eps,
                a=a_N,
                b=b_M,
                numIterMax=iterations,
                stopThr=0.0,
                isLazy=True,
                batchSize=LAZY_ROWS,
                warn=False,
            )
            log_u_N, log_v_M = found
            return Solved(
                problem.eps * to_numpy(log_u_N), problem.eps * to_numpy(log_v_M), iterations
            )

        return call

    return ready


def pot_solve_sample(problem: Problem, library: str) -> Prepared:
    """Prepare `ot.solve_sample`, which solves in the log domain (lazy, it is `pot_lazy`)."""
    import ot

    x_ND, y_MD, a_N, b_M = arrays_of(problem, library)
    # It cannot be told not to warn that the iterations asked for were all it made.
    warnings.filterwarnings("ignore", message="Sinkhorn did not converge")

    def ready(tol: float, iterations: int) -> Ready:
        def call() -> Solved:
            found = ot.solve_sample(
                x_ND, y_MD, a_N, b_M, reg=problem.eps, max_iter=iterations, tol=0.0
            )
            log_u_N, log_v_M = found.potentials
            return Solved(
                problem.eps * to_numpy(log_u_N), problem.eps * to_numpy(log_v_M), iterations
            )

        return call

    return ready
