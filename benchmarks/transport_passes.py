"""What runs in a process of its own beside the solvers: the machine's limit, a pool's pass, ours.

Sizes are of a memory-mapped float16 pool, read block by block; pages read before are let go.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from harness import measure, peak_of_process
from pools import BLOCK, blocks, mapped, read_target
from transport_problem import EPS_REL

from selection.methods.ot.options import OtOptions
from selection.transport.kernel import block_rows
from selection.transport.pool_pass import PoolPass
from selection.transport.potentials import solve_potentials
from selection.transport.precision import Precision
from selection.transport.refresh import refresh_potentials
from selection.transport.sampled import Certificate, SampledSolve, solve_on_sample
from selection.transport.solution import Potentials, Side

if TYPE_CHECKING:
    import torch

# Blocks that the pass and the bare product take in turn: short enough for both to meet the same
# machine, long enough for neither to be measured in its warm-up.
TURN = 8


def measure_limit(folder: Path, rows: int) -> dict[str, float]:
    """Time the bare work of a solve, on unit rows that are in memory: each part the best of 3.

    Seconds that no solver can avoid: evaluating the kernel in either precision, and reading it.
    """
    import torch

    x_ND = torch.from_numpy(mapped(folder, rows).astype(np.float32))
    y_DM = torch.from_numpy(read_target(folder).astype(np.float32)).T
    step = block_rows(y_DM.shape[1], x_ND.device)
    kernel_NM = torch.empty((rows, y_DM.shape[1]))
    some_M = torch.rand(y_DM.shape[1])

    def evaluate(dtype: torch.dtype) -> Callable[[], None]:
        rows_ND, target_DM = x_ND.to(dtype), y_DM.to(dtype).contiguous()
        product_BM = torch.empty((step, y_DM.shape[1]), dtype=dtype)

        def call() -> None:
            for one_BD, kernel_BM in zip(rows_ND.split(step), kernel_NM.split(step), strict=True):
                _evaluate(one_BD, target_DM, product_BM, kernel_BM)

        return call

    calls = {
        "float32": evaluate(torch.float32),
        "bfloat16": evaluate(torch.bfloat16),
        "read": lambda: kernel_NM @ some_M,
    }
    return {name: measure(call, repeats=3).seconds for name, call in calls.items()}


def _evaluate(
    rows_BD: torch.Tensor,
    target_DM: torch.Tensor,
    product_BM: torch.Tensor,
    kernel_BM: torch.Tensor,
) -> None:
    """Write the exponential of a product; one in a low precision goes through a buffer."""
    import torch

    if rows_BD.dtype == kernel_BM.dtype:
        torch.mm(rows_BD, target_DM, out=kernel_BM)
    else:
        kernel_BM.copy_(torch.mm(rows_BD, target_DM, out=product_BM[: len(rows_BD)]))
    kernel_BM.exp_()


def score_against_limit(folder: Path, n: int, precision: Precision) -> tuple[float, float]:
    """Score n rows from the memory map; seconds of that, and of the bare work on such blocks.

    The bare work is a product into a buffer that is used again, an exponential and the sums over
    rows and columns, of unit rows that are in memory, in blocks of the size that the pass uses.
    """
    import torch

    target_MD = read_target(folder)
    step = block_rows(len(target_MD), torch.device("cpu"))
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    rows_BD = torch.from_numpy(next(blocks(folder, n)).astype(np.float32)).to(dtype)
    target_DM = torch.from_numpy(target_MD.astype(np.float32)).to(dtype).T.contiguous()
    product_BM = torch.empty((step, len(target_MD)), dtype=dtype)
    kernel_BM = torch.empty((step, len(target_MD)))

    def bare(count: int) -> None:
        for start in range(0, count, step):
            size = min(step, count - start)
            place = start % (len(rows_BD) - size + 1)
            _evaluate(rows_BD[place : place + size], target_DM, product_BM, kernel_BM[:size])
            for dim in (1, 0):
                kernel_BM[:size].sum(dim=dim)

    bare(len(rows_BD))
    passed = _pass(folder, precision).over(blocks(folder, n))
    pass_seconds = bare_seconds = 0.0
    for first in range(0, n, TURN * BLOCK):
        count = min(TURN * BLOCK, n - first)
        started = time.perf_counter()
        for _ in range(0, count, BLOCK):
            next(passed)
        turned = time.perf_counter()
        bare(count)
        pass_seconds += turned - started
        bare_seconds += time.perf_counter() - turned
    return pass_seconds, bare_seconds


def score_alone(folder: Path, n: int) -> tuple[float, int]:
    """Score n rows and do nothing else; seconds, and the most bytes this process ever held."""
    one_pass = _pass(folder, "float32")
    started = time.perf_counter()
    scored = sum(potential_SB.shape[1] for potential_SB in one_pass.over(blocks(folder, n)))
    if scored != n:
        raise RuntimeError(f"{scored} of {n} rows were scored")
    return time.perf_counter() - started, peak_of_process()


def _pass(folder: Path, precision: Precision) -> PoolPass:
    """Solve on the first block: which potentials a pass scores with does not change its time."""
    target_MD = read_target(folder)
    solved = solve_potentials(next(blocks(folder, BLOCK)), target_MD, eps_rel=EPS_REL)
    return PoolPass([Side(target_MD, solved)], precision=precision)


def sampled_solve(folder: Path, n: int) -> dict[str, Any]:
    """Solve on a sample of a study's size, at the eps of all solvers, certify, and score."""
    import torch  # noqa: F401  # the engine loads it in its first call

    target_MD = read_target(folder)
    options = OtOptions()

    def keyed() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng(1)
        return ((rng.random(len(rows_BD)), rows_BD) for rows_BD in blocks(folder, n))

    def call() -> SampledSolve:
        found = solve_on_sample(
            keyed,
            target_MD,
            n_rows=options.solve_rows,
            certificate=Certificate(options.max_pool_residual, options.min_overlap),
            options={"eps_rel": EPS_REL, "tol": options.tol},
        )
        for _ in PoolPass([Side(target_MD, found.potentials)]).over(blocks(folder, n)):
            pass
        return found

    one = measure(call)
    return {
        "seconds": one.seconds,
        "peak_bytes": one.peak_bytes,
        "n_solved": one.result.n_solved,
        "residual": one.result.pool_fit.residual,
        "certified": one.result.certified,
    }


def streamed_solve(folder: Path, n: int) -> dict[str, Any]:
    """Solve on all rows of the memory map, evaluating the kernel anew in each pass."""
    import torch  # noqa: F401  # the engine loads it in its first call

    pool_ND, target_MD = mapped(folder, n), read_target(folder)
    one = measure(lambda: solve_potentials(pool_ND, target_MD, eps_rel=EPS_REL, path="streamed"))
    return {
        "seconds": one.seconds,
        "peak_bytes": one.peak_bytes,
        "residual": one.result.residual,
        "path": one.result.path,
    }


def warm_refresh(folder: Path, rows: int, added: int, repeats: int) -> dict[str, float]:
    """Time a solve after rows were added: cold, from the potentials before, and by the new rows.

    The residual of the refresh is that over all rows, in float64.

    Raises
    ------
    RuntimeError
        The refresh asked for a new solve.
    """
    target_MD = read_target(folder)
    pool_ND = np.array(mapped(folder, rows + added))
    options: dict[str, Any] = {"eps_rel": EPS_REL, "precision": "auto"}
    before = solve_potentials(pool_ND[:rows], target_MD, **options)
    ways: dict[str, Callable[[], Potentials | None]] = {
        "cold_solve": lambda: solve_potentials(pool_ND, target_MD, **options),
        "warm_start": lambda: solve_potentials(pool_ND, target_MD, warm_start=before, **options),
        "warm_refresh": lambda: refresh_potentials(
            before, pool_ND[:rows], pool_ND[rows:], target_MD, precision=before.precision
        ),
    }
    seconds = dict.fromkeys(ways, float("inf"))
    refreshed: Potentials | None = None
    for _ in range(repeats):
        for name, way in ways.items():
            measured = measure(way)
            seconds[name], refreshed = min(seconds[name], measured.seconds), measured.result
    if refreshed is None:
        raise RuntimeError(f"{added} rows changed a solve of {rows} too much for a refresh")
    exact = PoolPass([Side(target_MD, refreshed)], precision="float64")
    for _ in exact.over([pool_ND]):
        pass
    return {
        **{f"{name}_seconds": taken for name, taken in seconds.items()},
        "warm_refresh_residual": exact.fits()[0].residual,
        "warm_refresh_share": seconds["warm_refresh"] / seconds["cold_solve"],
    }
