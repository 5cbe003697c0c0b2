"""How fast is a pool of millions solved and scored, with its rows on the device or on the host?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, TypeVar

import numpy as np
import torch

from gpu_sections.ceilings import TERA
from gpu_sections.clock import Machine
from gpu_sections.pool import Problem, make_problem
from selection.transport.pool_pass import PoolPass
from selection.transport.potentials import solve_potentials
from selection.transport.precision import Precision
from selection.transport.scores import calibrated_scores
from selection.transport.solution import Path, Potentials, Side

TOL = 1e-3
# A pass that fuses nothing writes a float32 product, reads and writes it for the exponential, and
# reads it for the row sums and again for the column sums.
_UNFUSED_BYTES = 20.0
_GiB = 2**30

Rows = torch.Tensor | np.ndarray
Sliced = TypeVar("Sliced", torch.Tensor, np.ndarray, Rows, list[str])


@dataclass(frozen=True)
class Way:
    """How a solve is run."""

    precision: Precision
    path: Path

    def __str__(self) -> str:
        """Name it in figures."""
        return f"{self.precision}_{self.path}"


@dataclass(frozen=True)
class Scored:
    """What a pass over the pool leaves."""

    scores: np.ndarray
    residual: float
    flops: float


def measure_large_problem(machine: Machine, ceilings: dict[str, float]) -> dict[str, Any]:
    """Solve the whole pool in every way, then score it; rows on the device, then on the host."""
    n, m, width = machine.sizes.pool, machine.sizes.targets, machine.sizes.width
    problem = make_problem(n, m, width, machine.device)
    warm_up(problem, machine)
    figures: dict[str, Any] = {"rows": n, "targets": m, "width": width}
    held = n * m * 4
    paths: tuple[Path, ...] = ("streamed", "cached")
    if held > machine.kernel_bytes:
        paths = ("streamed",)
        figures["cached"] = f"skipped: the kernel takes {held / _GiB:.0f} GiB"
    fastest, best = float("inf"), Way("float32", "streamed")
    for way in (Way(*both) for both in product(machine.precisions, paths)):
        found = solves(way, problem, machine, ceilings)
        figures |= {f"solve_{way}_{name}": value for name, value in found.items()}
        if found["seconds"] < fastest:
            fastest, best = found["seconds"], way
    figures["best_solve"] = str(best)
    solved = solve(problem.pool_ND, problem.target_MD, best, machine)
    for precision in machine.precisions:
        found = scoring(solved, precision, problem, machine, ceilings)
        figures |= {f"score_{precision}_{name}": value for name, value in found.items()}
    precision = scoring_precision(machine)
    figures["scored_in"] = precision
    figures["resident_total_seconds"] = fastest + figures[f"score_{precision}_seconds"]
    figures |= from_host(best, problem, machine)
    certified = figures["score_float32_residual"]
    failure = f"{best}: residual {certified:.2g} when scored in float32, allowed {TOL:g}"
    return figures | {"failures": [failure] if certified > TOL else []}


def warm_up(problem: Problem, machine: Machine) -> None:
    """Start the libraries: what they do once a process is no part of a solve."""
    pool_ND = problem.pool_ND[:8192]
    for precision in machine.precisions:
        way = Way(precision, "streamed")
        solved = solve(pool_ND, problem.target_MD, way, machine)
        score(pool_ND.split(4096), problem.target_MD, solved, precision, machine)


def solve(pool: Rows, target_MD: torch.Tensor, way: Way, machine: Machine) -> Potentials:
    """Solve from nothing to the tolerance; what bfloat16 claims of itself does not stop it.

    Its error is judged here by a pass in float32 over all rows, which is sharper than its estimate.
    """
    return solve_potentials(
        pool,
        target_MD,
        tol=TOL,
        allow_unconverged=True,
        precision=way.precision,
        path=way.path,
        device=machine.device,
        memory_limit=machine.kernel_bytes,
    )


def solves(
    way: Way, problem: Problem, machine: Machine, ceilings: dict[str, float]
) -> dict[str, float]:
    """Give the figures of a cold solve with resident rows; its seconds are the median."""
    solved = solve(problem.pool_ND, problem.target_MD, way, machine)
    seconds = machine.median(
        lambda: solve(problem.pool_ND, problem.target_MD, way, machine), warm_up=0
    )
    machine.forget()
    rate = solved.flops / seconds / TERA
    return {
        "seconds": seconds,
        "passes": solved.iterations,
        "residual": solved.residual,
        "peak_gib": solved.peak_bytes / _GiB,
        "tflops": rate,
        "share_of_square_ceiling": rate / ceilings[f"square_{way.precision}_tflops"],
    }


def scoring(
    solved: Potentials,
    precision: Precision,
    problem: Problem,
    machine: Machine,
    ceilings: dict[str, float],
) -> dict[str, float]:
    """Give the figures of a scoring pass over resident rows; its residual is the certificate."""
    blocks = problem.pool_ND.split(machine.sizes.block)
    passed = score(blocks, problem.target_MD, solved, precision, machine)
    seconds = machine.median(lambda: score(blocks, problem.target_MD, solved, precision, machine))
    rate = passed.flops / seconds / TERA
    n, m = machine.sizes.pool, machine.sizes.targets
    return {
        "seconds": seconds,
        "residual": passed.residual,
        "rows_per_second": n / seconds,
        "tflops": rate,
        "share_of_square_ceiling": rate / ceilings[f"square_{precision}_tflops"],
        "share_of_narrow_ceiling": rate / ceilings[f"narrow_{precision}_tflops"],
        # Above 1: blocks stay in a cache, or steps are fused.
        "unfused_traffic_share_of_copy_ceiling": (
            n * m * _UNFUSED_BYTES / seconds / TERA / ceilings["copy_tb_per_s"]
        ),
    }


def score(
    blocks: Iterable[Rows],
    target_MD: Rows,
    solved: Potentials,
    precision: Precision,
    machine: Machine,
) -> Scored:
    """Score every block, scores on the host in float32 as the pipeline stores them."""
    one_pass = PoolPass([Side(target_MD, solved)], device=machine.device, precision=precision)
    scores = [
        calibrated_scores(potential_SB[0], solved).astype(np.float32)
        for potential_SB in one_pass.over(blocks)
    ]
    return Scored(np.concatenate(scores), one_pass.fits()[0].residual, one_pass.flops)


def scoring_precision(machine: Machine) -> Precision:
    """Give the fastest precision in which a row's score is as good as in float32."""
    return "tf32" if machine.on_gpu else "float32"


def from_host(way: Way, problem: Problem, machine: Machine) -> dict[str, float]:
    """Give seconds of solve and scoring when the pool is float16 on the host.

    ``pageable`` is what a memory map is; ``pinned`` is memory that the device reads by itself;
    ``uploaded`` sends the pageable rows once and then works on the device.
    """
    pool_ND, target_MD = problem.pool_ND.cpu(), problem.target_MD
    pageable = pool_ND.numpy()
    pools: dict[str, Callable[[], Rows]] = {"pageable": lambda: pageable}
    if machine.on_gpu:
        pinned = pool_ND.pin_memory()
        pools["pinned"] = lambda: pinned
    pools["uploaded"] = lambda: torch.from_numpy(pageable).to(machine.device)
    precision, block = scoring_precision(machine), machine.sizes.block
    figures: dict[str, float] = {}
    for name, make in pools.items():
        pool, sending = machine.timed(make)
        solved, solving = machine.timed(partial(solve, pool, target_MD, way, machine))
        passed, passing = machine.timed(
            partial(score, cut(pool, block), target_MD, solved, precision, machine)
        )
        figures[f"{name}_solve_seconds"], figures[f"{name}_score_seconds"] = solving, passing
        figures[f"{name}_total_seconds"] = sending + solving + passing
        figures[f"{name}_residual"] = passed.residual
    return figures


def measure_scoring_from_host(machine: Machine) -> dict[str, Any]:
    """Score ten times the pool from pageable float16 host memory, each row read once.

    The rows repeat, the memory does not: the array is written in full before.
    """
    sizes = machine.sizes
    problem = make_problem(sizes.pool, sizes.targets, sizes.width, machine.device)
    sample_ND = problem.pool_ND[:: max(1, sizes.pool // sizes.sample)]
    precision = scoring_precision(machine)
    solved = solve(sample_ND, problem.target_MD, Way(precision, "streamed"), machine)
    rows_ND = problem.pool_ND.cpu().repeat(sizes.scored_copies, 1).numpy()
    score([rows_ND[: sizes.block]], problem.target_MD, solved, precision, machine)
    passed, seconds = machine.timed(
        lambda: score(cut(rows_ND, sizes.block), problem.target_MD, solved, precision, machine)
    )
    return {
        "rows": len(rows_ND),
        "host_gb": rows_ND.nbytes / 1e9,
        "precision": precision,
        "seconds": seconds,
        "rows_per_second": len(rows_ND) / seconds,
        "host_tb_per_s": rows_ND.nbytes / seconds / TERA,
        "tflops": passed.flops / seconds / TERA,
        "finite": bool(np.isfinite(passed.scores).all()),
        "sample_rows": len(solved.f),
        "residual_over_all": passed.residual,
    }


def cut(rows: Sliced, size: int) -> Iterator[Sliced]:
    """Give block after block; of an array without a copy."""
    return (rows[start : start + size] for start in range(0, len(rows), size))
