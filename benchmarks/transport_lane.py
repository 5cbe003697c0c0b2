"""One solver in a process of its own, kept from call to call so that calls can take turns."""

from __future__ import annotations

from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from harness import Measured, measure
from transport_problem import Prepared, Problem, Solved
from transport_solvers import SOLVERS

POOL_FILE, TARGET_FILE = "pool.npy", "target.npy"


@dataclass(frozen=True)
class Run:
    """One timed call of a solver; memory above what its process held before the call."""

    seconds: float
    peak_bytes: int
    solved: Solved


class Lane:
    """A fresh process in which one solver is prepared, then called.

    The first call is the one whose memory counts: what a call frees, the next may take again
    without being seen.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._process = ProcessPoolExecutor(1, mp_context=get_context("spawn"))

    def __enter__(self) -> Lane:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self._process.shutdown()

    def prepare(self, folder: Path, rows: int, eps: float) -> Future[None]:
        """Load the first rows of the pool and the target, import and convert; not timed."""
        return self._process.submit(_prepare, self._label, folder, rows, eps)

    def run(self, tol: float, iterations: int) -> Run:
        """Compile where the solver does, then time one call."""
        measured = self._process.submit(_run, tol, iterations).result()
        return Run(measured.seconds, measured.peak_bytes, measured.result)


def in_a_process_of_its_own(call: Any, *arguments: Any) -> Any:
    """Call where nothing was allocated before."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(call, *arguments).result()


def load_problem(folder: Path, rows: int, eps: float) -> Problem:
    """Read the first rows of a pool and its target as unit rows."""
    return Problem(
        _unit(np.load(folder / POOL_FILE, mmap_mode="r")[:rows]),
        _unit(np.load(folder / TARGET_FILE)),
        eps,
    )


def _unit(rows_ND: np.ndarray) -> np.ndarray:
    wide_ND = rows_ND.astype(np.float64)
    return wide_ND / np.linalg.norm(wide_ND, axis=1, keepdims=True)


# Of the process: a prepared solver cannot be sent from one to another.
_prepared: Prepared | None = None


def _prepare(label: str, folder: Path, rows: int, eps: float) -> None:
    global _prepared
    _prepared = None
    _prepared = SOLVERS[label].prepare(load_problem(folder, rows, eps))


def _run(tol: float, iterations: int) -> Measured:
    if _prepared is None:
        raise RuntimeError("prepare the lane before running it")
    return measure(_prepared(tol, iterations))
