"""POT's, GeomLoss's and OTT-JAX's solvers, each called the way its own users would call it.

GeomLoss and OTT-JAX are not installed with the project: they come with its extra `bench`.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
from transport_problem import Prepared, Problem, arrays_of, counted, to_numpy

# POT's lazy cost is evaluated in blocks of this many rows.
LAZY_ROWS = 1024
# GeomLoss anneals from `diameter` to `blur`. At this eps annealing only costs iterations, so the
# diameter is set next to the blur.
NO_ANNEALING = 1.0001


def pot_sinkhorn(problem: Problem, library: str, method: str) -> Prepared:
    """Prepare `ot.sinkhorn` on a dense cost."""
    import ot

    x_ND, y_MD, a_N, b_M = arrays_of(problem, library)
    names = {"sinkhorn_log": ("log_u", "log_v"), "sinkhorn_stabilized": ("logu", "logv")}

    def solve(iterations: int) -> tuple[Any, Any]:
        cost_NM = ot.dist(x_ND, y_MD)
        options: Any = {"numItermax": iterations, "stopThr": 0.0, "log": True, "warn": False}
        _, found = ot.sinkhorn(a_N, b_M, cost_NM, problem.eps, method=method, **options)
        if method == "sinkhorn":
            return np.log(to_numpy(found["u"])), np.log(to_numpy(found["v"]))
        u, v = names[method]
        return found[u], found[v]

    return counted(solve, problem.eps)


def pot_lazy(problem: Problem, library: str) -> Prepared:
    """Prepare `ot.bregman.empirical_sinkhorn` that evaluates the cost anew in each iteration."""
    import ot

    x_ND, y_MD, a_N, b_M = arrays_of(problem, library)

    def solve(iterations: int) -> tuple[Any, Any]:
        options: Any = {"numIterMax": iterations, "stopThr": 0.0, "warn": False}
        options |= {"isLazy": True, "batchSize": LAZY_ROWS}
        solved: Any = ot.bregman.empirical_sinkhorn(
            x_ND, y_MD, problem.eps, a=a_N, b=b_M, **options
        )
        return solved

    return counted(solve, problem.eps)


def pot_solve_sample(problem: Problem, library: str) -> Prepared:
    """Prepare `ot.solve_sample`, which solves in the log domain (lazy, it is `pot_lazy`)."""
    import ot

    arrays = arrays_of(problem, library)
    # It cannot be told not to warn that the iterations asked for were all it made.
    warnings.filterwarnings("ignore", message="Sinkhorn did not converge")

    def solve(iterations: int) -> tuple[Any, Any]:
        return ot.solve_sample(*arrays, reg=problem.eps, max_iter=iterations, tol=0.0).potentials

    return counted(solve, problem.eps)


def geomloss(problem: Problem, backend: str) -> Prepared:
    """Prepare `geomloss.SamplesLoss`, biased (without the divergence's two other solves)."""
    import torch
    from geomloss import SamplesLoss  # pyright: ignore[reportMissingImports]

    x_ND, y_MD, a_N, b_M = arrays_of(problem, "torch")
    # Its cost is |x - y|^2 / 2 and its eps is blur^2.
    blur = (problem.eps / 2.0) ** 0.5
    settings: Any = {"p": 2, "blur": blur, "diameter": NO_ANNEALING * blur, "backend": backend}
    settings |= {"debias": False, "potentials": True}
    if backend == "online":  # the first call compiles the formula, whatever the number of rows
        even = torch.full((8,), 1.0 / 8)
        SamplesLoss("sinkhorn", **settings, scaling=0.5)(even, x_ND[:8], even, y_MD[:8])

    def solve(iterations: int) -> tuple[Any, Any]:
        # Its list of eps has an entry at either end, and one for each step of the scaling.
        scaling = NO_ANNEALING ** (-1.0 / (iterations - 2.5))
        return SamplesLoss("sinkhorn", **settings, scaling=scaling)(a_N, x_ND, b_M, y_MD)

    return counted(solve, 2.0, least=3)


def ott_jax(problem: Problem, *, log_domain: bool) -> Prepared:
    """Prepare OTT-JAX's Sinkhorn on a point cloud, float32, on the CPU.

    Its lazy cost (`batch_size`) is left out: OTT-JAX 0.6.0 calls what JAX 0.10 no longer has.
    """
    import jax  # pyright: ignore[reportMissingImports]
    from ott.geometry.pointcloud import PointCloud  # pyright: ignore[reportMissingImports]
    from ott.problems.linear.linear_problem import LinearProblem  # pyright: ignore[reportMissingImports]
    from ott.solvers.linear.sinkhorn import Sinkhorn  # pyright: ignore[reportMissingImports]

    jax.config.update("jax_platforms", "cpu")
    rows = [jax.numpy.asarray(rows, "float32") for rows in (problem.x_ND, problem.y_MD)]

    @cache
    def compiled(iterations: int) -> Any:
        # Least and most iterations equal: it runs exactly these and measures its error once.
        exactly = dict.fromkeys(
            ("inner_iterations", "min_iterations", "max_iterations"), iterations
        )
        solver = Sinkhorn(lse_mode=log_domain, threshold=0.0, **exactly)

        @jax.jit
        def solve(x_ND, y_MD):
            found = solver(LinearProblem(PointCloud(x_ND, y_MD, epsilon=problem.eps)))
            return found.f, found.g

        return solve.lower(*rows).compile()

    def solve(iterations: int) -> tuple[Any, Any]:
        return jax.block_until_ready(compiled(iterations)(*rows))

    return counted(solve, 1.0, untimed=compiled)
