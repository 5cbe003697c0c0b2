"""What the optimal-transport method keeps of a solve: arrays and facts, and back again."""

from __future__ import annotations

from typing import Any

import numpy as np

from selection.methods.contract.protocol import Fitted
from selection.methods.contract.values import Fact
from selection.transport.sampled import SampledSolve
from selection.transport.solution import Potentials

_ARRAYS = ("g", "b", "mass")


def arrays_of(solved: Potentials, prefix: str = "") -> dict[str, np.ndarray]:
    """Give the arrays to keep, each of shape (M,), float64; the sample's potentials are not."""
    return {f"{prefix}{name}": getattr(solved, name) for name in _ARRAYS}


def facts_of(found: SampledSolve, prefix: str = "") -> dict[str, Fact]:
    """Say how a solve went and what its certificate found."""
    solved = found.potentials
    facts: dict[str, Fact] = {
        "converged": found.certified,
        "pool_residual": found.pool_fit.residual,
        "estimated_overlap": [
            {"top_share": share, "overlap": overlap} for share, overlap in found.overlap.items()
        ],
        "n_solved": found.n_solved,
        "n_pool": found.pool_fit.n,
        "mean_f": solved.mean_f,
        "eps": solved.eps,
        "residual": solved.residual,
        "iterations": solved.iterations,
        "history": list(solved.history),
        "path": solved.path,
        "precision": solved.precision,
        "precision_error": solved.precision_error,
        "peak_bytes": solved.peak_bytes,
        "solve_flops": solved.flops,
        "density_flops": found.weigh_flops,
    }
    return {f"{prefix}{name}": fact for name, fact in facts.items()}


def potentials_from(fitted: Fitted, prefix: str = "") -> Potentials:
    """Rebuild what scoring needs of the solver's result."""
    facts: dict[str, Any] = {
        name.removeprefix(prefix): fact
        for name, fact in fitted.facts.items()
        if name.startswith(prefix)
    }
    return Potentials(
        f=np.empty(0),
        **{name: fitted.arrays[f"{prefix}{name}"] for name in _ARRAYS},
        n=facts["n_solved"],
        mean_f=facts["mean_f"],
        eps=facts["eps"],
        residual=facts["residual"],
        converged=facts["converged"],
        history=tuple(facts["history"]),
        path=facts["path"],
        precision=facts["precision"],
        precision_error=facts["precision_error"],
        peak_bytes=facts["peak_bytes"],
        flops=facts["solve_flops"],
    )
