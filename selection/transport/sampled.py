"""Solve on a sample of a pool, certify on all of it, and grow the sample until that succeeds.

The sample's two halves are solved apart. How far they disagree on the pool's best rows says how far
the sample may be from the whole pool; together they start the solve that is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from selection.basics.engine import HERE, Engine
from selection.transport.pool_pass import PoolFit, PoolPass, Received
from selection.transport.potentials import solve_potentials
from selection.transport.sample import Batches, take_sample
from selection.transport.solution import Potentials, Side
from selection.transport.stability import estimated_overlap, top_overlap

if TYPE_CHECKING:
    from selection.transport.precision import Precision

TOP_SHARES = (0.001, 0.01, 0.1)
# The share whose overlap is asked for: selections are of a few percent.
CERTIFIED_SHARE = 0.01
_SECONDS_BETWEEN_LINES = 2.0


class Weights(Protocol):
    """Weights of rows of the pool, learnt from the sample."""

    @property
    def flops(self) -> float:
        """Spent so far."""
        ...

    def of(self, rows: Any) -> np.ndarray:
        """Give positive weights of shape (B,) of rows (B, D)."""
        ...


@dataclass(frozen=True)
class Certificate:
    """What must hold over the whole pool.

    Attributes
    ----------
    max_residual : float
        L1 error of the target's marginal over the whole pool.
    min_overlap : float
        Estimated overlap of the best 1 % with those of a solve on the whole pool.
    """

    max_residual: float
    min_overlap: float


@dataclass(frozen=True)
class SampledSolve:
    """A solve on n_solved rows of a pool, and its certificate.

    Attributes
    ----------
    potentials : Potentials
    pool_fit : PoolFit
    overlap : dict of float to float
        By share of the pool's best rows: the estimated overlap with a solve on the whole pool;
        1 when the sample is the whole pool.
    certified : bool
    flops : float
        Of every solve and pass, those on samples that proved too small included.
    weigh_flops : float
        Part of them that went into weights.
    """

    potentials: Potentials
    pool_fit: PoolFit
    overlap: dict[float, float]
    certified: bool
    flops: float
    weigh_flops: float

    @property
    def n_solved(self) -> int:
        """Rows of the sample."""
        return self.potentials.n


def solve_on_sample(
    batches: Batches,
    target: np.ndarray,
    *,
    n_rows: int,
    certificate: Certificate,
    options: Mapping[str, Any],
    device: str | None = None,
    precision: Precision = "float32",
    warm_start: np.ndarray | None = None,
    weigh: Callable[[np.ndarray], Weights] | None = None,
    say: Callable[[str], None] = lambda line: None,
    engine: Engine = HERE,
) -> SampledSolve:
    """Solve on the n_rows rows with the smallest keys; twice as many while uncertified.

    Parameters
    ----------
    batches : see `selection.transport.sample.Batches`
    target : array of shape (M, D)
    n_rows : int
        Rows to begin with; the whole pool when it has no more.
    certificate : Certificate
    options : mapping
        Further arguments of `solve_potentials`.
    precision : Precision
        Of the passes over the whole pool.
    warm_start : array of shape (M,) or None
        Target potentials to start the first solve from.
    weigh : callable or None
        Learns weights from a sample, of shape (n_solved, D); None is uniform.
    say : callable
        Receives one line of progress at a time.
    engine : Engine
        Passes the batches when all of the pool is certified; what each of them sends to the
        target adds up in their order. Weights are learnt and counted here, and so is a pass that
        needs them.

    Raises
    ------
    NotConverged
        A solve did not reach its tolerance.
    ValueError
        Unusable rows.
    """
    flops = weigh_flops = 0.0

    def solve(rows: np.ndarray, start: np.ndarray | None, name: str, **more: Any) -> Potentials:
        nonlocal flops
        solved = solve_potentials(
            rows,
            target,
            warm_start=start,
            device=device,
            report=_now_and_then(say, name),
            **{**options, **more},
        )
        flops += solved.flops
        say(
            f"{name}: {len(rows)} rows in {solved.iterations} passes, {solved.path} kernel, "
            f"{solved.precision}, {solved.peak_bytes / 2**20:.0f} MiB"
        )
        return solved

    while True:
        sample, n_pool = take_sample(batches, n_rows)
        weights = None if weigh is None else weigh(sample)
        weight_N = None if weights is None else weights.of(sample)
        say(f"solve potentials on {len(sample)} of {n_pool} rows")
        if len(sample) == n_pool:
            solved = solve(sample, warm_start, "all", a=weight_N)
            fit, overlap = PoolFit(solved.residual, n_pool), dict.fromkeys(TOP_SHARES, 1.0)
        else:
            solves = _with_halves(solve, sample, weight_N, warm_start)
            solved = solves[0]
            say(f"certify over all {n_pool} rows")
            sides = [Side(target, one) for one in solves]
            of = None if weights is None else weights.of
            passing = _Passing(sides, device, precision, of)
            who = engine if weights is None else HERE
            fit, overlap, spent = _certify(passing, batches, who, len(sample) / n_pool)
            flops += spent
        if weights is not None:
            flops += weights.flops
            weigh_flops += weights.flops
        certified = (
            fit.residual <= certificate.max_residual
            and overlap[CERTIFIED_SHARE] >= certificate.min_overlap
        )
        say(
            f"marginal residual over all {n_pool} rows: {fit.residual:.3g} (at most "
            f"{certificate.max_residual:g}); estimated overlap of the top {CERTIFIED_SHARE:.0%} "
            f"with a solve on all of them: {overlap[CERTIFIED_SHARE]:.3f} (at least "
            f"{certificate.min_overlap:g})"
        )
        if certified or len(sample) == n_pool:
            return SampledSolve(solved, fit, overlap, certified, flops, weigh_flops)
        n_rows, warm_start = 2 * len(sample), solved.g
        say(f"not certified: the sample grows from {len(sample)} to {min(n_rows, n_pool)} rows")


def _now_and_then(say: Callable[[str], None], name: str) -> Callable[[int, float], None]:
    """Give what says how a solve goes on: once a while, for a pass may take milliseconds."""
    last = time.monotonic()

    def report(passed: int, residual: float) -> None:
        nonlocal last
        if time.monotonic() - last >= _SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            say(f"{name}, pass {passed}: marginal residual {residual:.3g}")

    return report


def _with_halves(
    solve: Callable[..., Potentials],
    sample: np.ndarray,
    weight_N: np.ndarray | None,
    start: np.ndarray | None,
) -> tuple[Potentials, Potentials, Potentials]:
    """Solve all of a sample, every other row, and the rest: all at one eps, so that they compare.

    The halves are two independent samples; the solve on all starts from their mean.
    """
    first_a, rest_a = (None, None) if weight_N is None else (weight_N[::2], weight_N[1::2])
    first = solve(sample[::2], start, "first half", a=first_a)
    rest = solve(sample[1::2], first.g, "second half", a=rest_a, eps=first.eps)
    mean_g = (first.g + rest.g) / 2.0
    return solve(sample, mean_g, "all", a=weight_N, eps=first.eps), first, rest


@dataclass(frozen=True)
class _Passing:
    """Passes one batch of the pool: by itself, so that any process may."""

    sides: Sequence[Side]
    device: str | None
    precision: Precision
    weigh: Callable[[Any], np.ndarray] | None

    def begin(self) -> PoolPass:
        return PoolPass(self.sides, device=self.device, precision=self.precision)

    def __call__(self, rows: np.ndarray) -> tuple[np.ndarray, Received]:
        """Give the potentials of all but the first side, float32 of shape (sides - 1, B)."""
        one_pass = self.begin()
        (potential_SB,) = one_pass.over([rows], weigh=self.weigh)
        return potential_SB[1:].astype(np.float32), one_pass.received


def _certify(
    passing: _Passing, batches: Batches, engine: Engine, share_solved: float
) -> tuple[PoolFit, dict[float, float], float]:
    """Measure the residual of the first solve, and how the two others (halves) agree; and FLOPs."""
    whole, halves = passing.begin(), []
    for potential_2B, received in engine.each(passing, (rows for _, rows in batches())):
        halves.append(potential_2B)
        whole.add(received)
    halves_2N = np.concatenate(halves, axis=1)
    overlap = {
        share: estimated_overlap(top_overlap(*halves_2N, share=share), share_solved)
        for share in TOP_SHARES
    }
    return whole.fits()[0], overlap, whole.flops
