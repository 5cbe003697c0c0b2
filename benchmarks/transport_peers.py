"""GeomLoss's and OTT-JAX's solvers, each called the way its own users would call it.

Neither is installed with the project: they come with its extra `bench`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from transport_problem import Prepared, Problem, Ready, Solved, arrays_of, to_numpy

# GeomLoss anneals from `diameter` to `blur`. At this eps annealing only costs iterations, so the
# diameter is set next to the blur.
NO_ANNEALING = 1.0001


def geomloss(problem: Problem, backend: str) -> Prepared:
    """Prepare `geomloss.SamplesLoss`, biased (without the divergence's two other solves)."""
    import torch
    from geomloss import SamplesLoss  # pyright: ignore[reportMissingImports]

    x_ND, y_MD, a_N, b_M = arrays_of(problem, "torch")
    # Its cost is |x - y|^2 / 2 and its eps is blur^2.
    blur = (problem.eps / 2.0) ** 0.5
    settings = {
        "loss": "sinkhorn",
        "p": 2,
        "blur": blur,
        "diameter": NO_ANNEALING * blur,
        "debias": False,
        "potentials": True,
        "backend": backend,
    }
    if backend == "online":  # the first call compiles the formula, whatever the number of rows
        few = slice(8)
        even = torch.full((8,), 1.0 / 8)
        SamplesLoss(**settings, scaling=0.5)(even, x_ND[few], even, y_MD[few])

    def ready(tol: float, iterations: int) -> Ready:
        # Its list of eps has an entry at either end, and one for each step of the scaling.
        steps = max(1, iterations - 2)
        solve = SamplesLoss(**settings, scaling=NO_ANNEALING ** (-1.0 / (steps - 0.5)))

        def call() -> Solved:
            f_N, g_M = solve(a_N, x_ND, b_M, y_MD)
            return Solved(2.0 * to_numpy(f_N).ravel(), 2.0 * to_numpy(g_M).ravel(), steps + 2)

        return call

    return ready


def ott_jax(problem: Problem, *, log_domain: bool) -> Prepared:
    """Prepare OTT-JAX's Sinkhorn on a point cloud, float32, on the CPU.

    Its lazy cost (`batch_size`) is left out: OTT-JAX 0.6.0 calls what JAX 0.10 no longer has.
    """
    import jax  # pyright: ignore[reportMissingImports]
    from ott.geometry.pointcloud import PointCloud  # pyright: ignore[reportMissingImports]
    from ott.problems.linear.linear_problem import LinearProblem  # pyright: ignore[reportMissingImports]
    from ott.solvers.linear.sinkhorn import Sinkhorn  # pyright: ignore[reportMissingImports]

    jax.config.update("jax_platforms", "cpu")
    x_ND, y_MD = (jax.numpy.asarray(rows, "float32") for rows in (problem.x_ND, problem.y_MD))

    @cache
    def compiled(iterations: int) -> Any:
        # Least and most iterations equal: it runs exactly these and measures its error once.
        solver = Sinkhorn(
            lse_mode=log_domain,
            threshold=0.0,
            inner_iterations=iterations,
            min_iterations=iterations,
            max_iterations=iterations,
        )

        @jax.jit
        def solve(x_ND, y_MD):
            found = solver(LinearProblem(PointCloud(x_ND, y_MD, epsilon=problem.eps)))
            return found.f, found.g

        return solve.lower(x_ND, y_MD).compile()

    def ready(tol: float, iterations: int) -> Ready:
        solve = compiled(iterations)

        def call() -> Solved:
            f_N, g_M = jax.block_until_ready(solve(x_ND, y_MD))
            return Solved(to_numpy(f_N), to_numpy(g_M), iterations)

        return call

    return ready
