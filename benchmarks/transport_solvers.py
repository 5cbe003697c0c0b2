"""The solvers that are compared, each called the way its own users would call it.

All solve the same problem: unit rows x and y, uniform weights, cost |x - y|^2, one absolute eps.
A prepared solver gives, for a tolerance and a number of its own iterations, a call that takes the
unit rows to potentials (f, g) in units of the cost. Only that call is timed: it builds the cost and
the kernel; conversion of the inputs and compilation (JAX, KeOps) come before it.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from selection.basics.hardware import has_bfloat16

Schedule = str
"""In which order a solver updates: it decides how many iterations a tolerance takes."""
OWN_RULE, TARGET_FIRST, ROWS_FIRST, SYMMETRIC = (
    "own rule",
    "target first",
    "rows first",
    "symmetric",
)

# POT and GeomLoss import KeOps, which warns in each process that there is no CUDA.
os.environ |= {"PYKEOPS_VERBOSE": "0", "KEOPS_VERBOSE": "0"}
# Of our engine, when the precision that it is held to cannot reach the tolerance.
MOST_PASSES = 30
# POT evaluates the lazy cost in blocks of this many rows.
LAZY_ROWS = 1024
# GeomLoss anneals from `diameter` to `blur`. At this eps annealing only costs iterations, so the
# diameter is set next to the blur.
NO_ANNEALING = 1.0001


@dataclass(frozen=True)
class Problem:
    """Unit rows in float64, and eps."""

    x_ND: np.ndarray
    y_MD: np.ndarray
    eps: float


@dataclass(frozen=True)
class Solved:
    """Potentials, and for solvers with a stopping rule of their own what they did."""

    f_N: np.ndarray
    g_M: np.ndarray
    iterations: int
    precision: str = ""


Ready = Callable[[], Solved]
Prepared = Callable[[float, int], Ready]
"""Given (tol, iterations), what is left is the timed call."""


@dataclass(frozen=True)
class Solver:
    """One line of the table.

    Attributes
    ----------
    name : str
    dtype : str
    module : str
        What must be installed.
    schedule : Schedule
    prepare : callable
        Gives the prepared solver of a problem.
    recomputes : bool
        Whether it evaluates the cost anew in every iteration: little memory, much time.
    """

    name: str
    dtype: str
    module: str
    schedule: Schedule
    prepare: Callable[[Problem], Prepared]
    recomputes: bool = False

    @property
    def label(self) -> str:
        """Name and dtype."""
        return f"{self.name}, {self.dtype}"

    @property
    def missing(self) -> str:
        """Why it cannot run here; empty when it can."""
        if find_spec(self.module) is None:
            return "not installed"
        if self.dtype == "bfloat16" and not has_bfloat16("cpu"):
            return "this processor has no bfloat16 products"
        return ""


def ours(problem: Problem, precision: Any) -> Prepared:
    """Prepare the engine of this project; it stops by its own measure of the residual."""
    import torch  # noqa: F401  # the engine loads it in its first call

    from selection.transport.potentials import solve_potentials

    x_ND, y_MD = problem.x_ND.astype(np.float32), problem.y_MD.astype(np.float32)

    def ready(tol: float, iterations: int) -> Ready:
        def call() -> Solved:
            found = solve_potentials(
                x_ND,
                y_MD,
                eps=problem.eps,
                tol=tol,
                precision=precision,
                allow_unconverged=True,  # the judge says whether it is within tol
                max_iterations=MOST_PASSES,
            )
            return Solved(found.f, found.g, found.iterations, found.precision)

        return call

    return ready


def pot_sinkhorn(problem: Problem, method: str, library: str) -> Prepared:
    """Prepare `ot.sinkhorn` on a dense cost."""
    import ot

    x_ND, y_MD, a_N, b_M = _arrays(problem, library)
    logarithms = {
        "sinkhorn": lambda log: (np.log(_numpy(log["u"])), np.log(_numpy(log["v"]))),
        "sinkhorn_log": lambda log: (_numpy(log["log_u"]), _numpy(log["log_v"])),
        "sinkhorn_stabilized": lambda log: (_numpy(log["logu"]), _numpy(log["logv"])),
    }

    def ready(tol: float, iterations: int) -> Ready:
        def call() -> Solved:
            _, log = ot.sinkhorn(
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
            log_u_N, log_v_M = logarithms[method](log)
            return Solved(problem.eps * log_u_N, problem.eps * log_v_M, iterations)

        return call

    return ready


def pot_lazy(problem: Problem, library: str) -> Prepared:
    """Prepare `ot.bregman.empirical_sinkhorn` that evaluates the cost anew in each iteration."""
    import ot

    x_ND, y_MD, a_N, b_M = _arrays(problem, library)

    def ready(tol: float, iterations: int) -> Ready:
        def call() -> Solved:
            log_u_N, log_v_M = ot.bregman.empirical_sinkhorn(
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
            return Solved(problem.eps * _numpy(log_u_N), problem.eps * _numpy(log_v_M), iterations)

        return call

    return ready


def pot_solve_sample(problem: Problem, library: str) -> Prepared:
    """Prepare `ot.solve_sample`, which solves in the log domain (lazy, it is `pot_lazy`)."""
    import ot

    x_ND, y_MD, a_N, b_M = _arrays(problem, library)
    # It cannot be told not to warn that the iterations asked for were all it made.
    warnings.filterwarnings("ignore", message="Sinkhorn did not converge")

    def ready(tol: float, iterations: int) -> Ready:
        def call() -> Solved:
            found = ot.solve_sample(
                x_ND, y_MD, a_N, b_M, reg=problem.eps, max_iter=iterations, tol=0.0
            )
            log_u_N, log_v_M = found.potentials
            return Solved(problem.eps * _numpy(log_u_N), problem.eps * _numpy(log_v_M), iterations)

        return call

    return ready


def geomloss(problem: Problem, backend: str) -> Prepared:
    """Prepare `geomloss.SamplesLoss`, biased (without the divergence's two other solves)."""
    import torch
    from geomloss import SamplesLoss

    x_ND, y_MD, a_N, b_M = _arrays(problem, "torch")
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
            return Solved(2.0 * _numpy(f_N).ravel(), 2.0 * _numpy(g_M).ravel(), steps + 2)

        return call

    return ready


def ott_jax(problem: Problem, *, log_domain: bool) -> Prepared:
    """Prepare OTT-JAX's Sinkhorn on a point cloud, float32, on the CPU.

    Its lazy cost (`batch_size`) is left out: OTT-JAX 0.6.0 calls what JAX 0.10 no longer has.
    """
    import jax
    from ott.geometry.pointcloud import PointCloud
    from ott.problems.linear.linear_problem import LinearProblem
    from ott.solvers.linear.sinkhorn import Sinkhorn

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
            return Solved(_numpy(f_N), _numpy(g_M), iterations)

        return call

    return ready


def _arrays(problem: Problem, library: str) -> tuple[Any, Any, Any, Any]:
    """Give x, y and uniform weights: numpy in float64, torch in float32, as each is used."""
    arrays = (
        problem.x_ND,
        problem.y_MD,
        np.full(len(problem.x_ND), 1.0 / len(problem.x_ND)),
        np.full(len(problem.y_MD), 1.0 / len(problem.y_MD)),
    )
    if library == "numpy":
        return arrays
    import torch

    x_ND, y_MD, a_N, b_M = (torch.tensor(array, dtype=torch.float32) for array in arrays)
    return x_ND, y_MD, a_N, b_M


def _numpy(values: Any) -> np.ndarray:
    """Give float64 of an array of numpy, torch or JAX."""
    return np.asarray(values.detach() if hasattr(values, "detach") else values, dtype=np.float64)


def _pot(name: str, method: str) -> list[Solver]:
    """Give `ot.sinkhorn` with a method as its documentation has it, and with float32 tensors."""
    both = (("numpy", "float64"), ("torch", "torch float32"))
    return [
        Solver(
            name, dtype, "ot", TARGET_FIRST, partial(pot_sinkhorn, method=method, library=library)
        )
        for library, dtype in both
    ]


def _lazy(name: str, dtype: str, module: str, schedule: Schedule, prepare: Any) -> Solver:
    return Solver(name, dtype, module, schedule, prepare, recomputes=True)


SOLVERS = {
    solver.label: solver
    for solver in [
        Solver("ours", "auto", "torch", OWN_RULE, partial(ours, precision="auto")),
        Solver("ours", "float32", "torch", OWN_RULE, partial(ours, precision="float32")),
        Solver("ours", "bfloat16", "torch", OWN_RULE, partial(ours, precision="bfloat16")),
        *_pot("POT log", "sinkhorn_log"),
        *_pot("POT stabilised", "sinkhorn_stabilized"),
        *_pot("POT sinkhorn", "sinkhorn"),
        Solver(
            "POT solve_sample",
            "torch float32",
            "ot",
            TARGET_FIRST,
            partial(pot_solve_sample, library="torch"),
        ),
        _lazy(
            "POT empirical lazy", "float64", "ot", ROWS_FIRST, partial(pot_lazy, library="numpy")
        ),
        _lazy(
            "POT empirical lazy",
            "torch float32",
            "ot",
            ROWS_FIRST,
            partial(pot_lazy, library="torch"),
        ),
        Solver(
            "geomloss tensorized",
            "float32",
            "geomloss",
            SYMMETRIC,
            partial(geomloss, backend="tensorized"),
        ),
        _lazy(
            "geomloss online", "float32", "pykeops", SYMMETRIC, partial(geomloss, backend="online")
        ),
        Solver("ott-jax log", "float32", "ott", TARGET_FIRST, partial(ott_jax, log_domain=True)),
        Solver(
            "ott-jax kernel", "float32", "ott", TARGET_FIRST, partial(ott_jax, log_domain=False)
        ),
    ]
}
HEADLINE = "ours, auto"
YARDSTICK = "POT log, float64"
