"""The solvers that are compared, each called the way its own users would call it.

All solve the same problem: unit rows x and y, uniform weights, cost |x - y|^2, one absolute eps.
A prepared solver gives, for a tolerance and a number of its own iterations, a call that takes the
unit rows to potentials (f, g) in units of the cost. Only that call is timed: it builds the cost and
the kernel; conversion of the inputs and compilation (JAX, KeOps) come before it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from harness import Measured, measure
from transport_peers import geomloss, ott_jax, pot_lazy, pot_sinkhorn, pot_solve_sample
from transport_problem import Prepared, Problem, Schedule, Solved, load_problem

from selection.basics.hardware import has_bfloat16

# POT and GeomLoss import KeOps, which warns in each process that there is no CUDA.
os.environ |= {"PYKEOPS_VERBOSE": "0", "KEOPS_VERBOSE": "0"}
# Of our engine, when the precision that it is held to cannot reach the tolerance.
MOST_PASSES = 30


@dataclass(frozen=True)
class Solver:
    """One line of the table."""

    name: str
    dtype: str
    module: str  # what must be installed
    schedule: Schedule
    prepare: Callable[[Problem], Prepared]
    recomputes: bool = False  # the cost anew in every iteration: little memory, much time

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

    def ready(tol: float, _: int) -> Callable[[], Solved]:
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


def _pot(name: str, schedule: Schedule, prepare: Any, recomputes: bool = False) -> list[Solver]:
    """Give a solver of POT as its documentation has it, and with float32 tensors."""
    both = (("numpy", "float64"), ("torch", "torch float32"))
    return [
        Solver(name, dtype, "ot", schedule, partial(prepare, library=library), recomputes)
        for library, dtype in both
    ]


def _all_solvers() -> Iterator[Solver]:
    for precision in ("auto", "float32", "bfloat16"):
        yield Solver("ours", precision, "torch", "own rule", partial(ours, precision=precision))
    methods = {"log": "sinkhorn_log", "stabilised": "sinkhorn_stabilized", "sinkhorn": "sinkhorn"}
    for name, method in methods.items():
        yield from _pot(f"POT {name}", "target first", partial(pot_sinkhorn, method=method))
    yield _pot("POT solve_sample", "target first", pot_solve_sample)[1]
    yield from _pot("POT empirical lazy", "rows first", pot_lazy, recomputes=True)
    for backend, module in (("tensorized", "geomloss"), ("online", "pykeops")):
        prepare, recomputes = partial(geomloss, backend=backend), backend == "online"
        yield Solver(f"geomloss {backend}", "float32", module, "symmetric", prepare, recomputes)
    for name, log_domain in (("log", True), ("kernel", False)):
        prepare = partial(ott_jax, log_domain=log_domain)
        yield Solver(f"ott-jax {name}", "float32", "ott", "target first", prepare)


SOLVERS = {solver.label: solver for solver in _all_solvers()}
HEADLINE = "ours, auto"
YARDSTICK = "POT log, float64"


# Of a process: a prepared solver cannot be sent from one to another.
_prepared: Prepared | None = None


def prepare(label: str, folder: Path, rows: int, eps: float) -> None:
    """Load the first rows of the pool and the target, import and convert; not timed."""
    global _prepared
    _prepared = None
    _prepared = SOLVERS[label].prepare(load_problem(folder, rows, eps))


def run(tol: float, iterations: int) -> Measured:
    """Compile where the solver does, then time one call, whose result is a `Solved`.

    The first call of a process is the one whose memory counts: what a call frees, the next may take
    again without being seen.
    """
    if _prepared is None:
        raise RuntimeError("prepare the solver before running it")
    return measure(_prepared(tol, iterations))
