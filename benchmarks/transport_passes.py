"""What runs in a process of its own beside the solvers: the machine's limit, a pool's pass, ours.

Sizes are of a memory-mapped float16 pool, read block by block; pages read before are let go.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from harness import measure, peak_of_process
from transport_lane import POOL_FILE, TARGET_FILE

from selection.methods.ot.options import OtOptions
from selection.transport.kernel import block_rows
from selection.transport.pool_pass import PoolPass
from selection.transport.potentials import solve_potentials
from selection.transport.precision import Precision
from selection.transport.refresh import refresh_potentials
from selection.transport.sampled import Certificate, solve_on_sample
from selection.transport.solution import Potentials, Side

READ_ROWS = 8192
# Blocks that the pass and the bare product take in turn: short enough for both to meet the same
# machine, long enough for neither to be measured in its warm-up.
TURN = 8
NOISE = 0.1


@dataclass(frozen=True)
class Limit:
    """Seconds that no solver of a problem can avoid: evaluating the kernel, and reading it."""

    float32: float
    bfloat16: float
    read: float


@dataclass(frozen=True)
class Sampled:
    """Our solve on a sample of a pool, its certificate, and the scores of every row."""

    seconds: float
    peak_bytes: int
    n_solved: int
    residual: float
    certified: bool


@dataclass(frozen=True)
class Streamed:
    """Our solve on a whole pool, from a memory map."""

    seconds: float
    peak_bytes: int
    residual: float
    path: str


def write_pool(folder: Path, rows_ND: np.ndarray, n: int) -> None:
    """Write n rows: given rows drawn at random, each with a little seeded noise."""
    rng = np.random.default_rng(0)
    width = rows_ND.shape[1]
    pool_ND = np.lib.format.open_memmap(
        folder / POOL_FILE, mode="w+", dtype=np.float16, shape=(n, width)
    )
    for start in range(0, n, READ_ROWS):
        stop = min(n, start + READ_ROWS)
        block_BD = rows_ND[rng.integers(len(rows_ND), size=stop - start)].astype(np.float32)
        noise_BD = rng.standard_normal(block_BD.shape, dtype=np.float32)
        block_BD += NOISE / np.sqrt(width) * noise_BD
        pool_ND[start:stop] = block_BD / np.linalg.norm(block_BD, axis=1, keepdims=True)
    pool_ND.flush()


def blocks(folder: Path, n: int) -> Iterator[np.ndarray]:
    """Read the first n rows a block at a time."""
    for start in range(0, n, READ_ROWS):
        stop = min(start + READ_ROWS, n)
        yield np.array(np.load(folder / POOL_FILE, mmap_mode="r")[start:stop])


def measure_limit(folder: Path, rows: int) -> Limit:
    """Time the bare work of a solve, on unit rows that are in memory: each part the best of 3."""
    import torch

    x_ND = torch.from_numpy(np.load(folder / POOL_FILE, mmap_mode="r")[:rows].astype(np.float32))
    y_DM = torch.from_numpy(np.load(folder / TARGET_FILE).astype(np.float32)).T
    step = block_rows(y_DM.shape[1], x_ND.device)
    kernel_NM = torch.empty((rows, y_DM.shape[1]))
    some_M = torch.rand(y_DM.shape[1])

    def evaluate(rows_ND: torch.Tensor, target_DM: torch.Tensor) -> Callable[[], None]:
        low_BM = torch.empty((step, y_DM.shape[1]), dtype=rows_ND.dtype)

        def call() -> None:
            for start in range(0, rows, step):
                kernel_BM = kernel_NM[start : start + step]
                if rows_ND.dtype == torch.float32:
                    torch.mm(rows_ND[start : start + step], target_DM, out=kernel_BM)
                else:
                    product_BM = low_BM[: len(kernel_BM)]
                    torch.mm(rows_ND[start : start + step], target_DM, out=product_BM)
                    kernel_BM.copy_(product_BM)
                kernel_BM.exp_()

        return call

    low = torch.bfloat16
    return Limit(
        float32=measure(evaluate(x_ND, y_DM), repeats=3).seconds,
        bfloat16=measure(evaluate(x_ND.to(low), y_DM.to(low).contiguous()), repeats=3).seconds,
        read=measure(lambda: kernel_NM @ some_M, repeats=3).seconds,
    )


def score_against_limit(folder: Path, n: int, precision: Precision) -> tuple[float, float]:
    """Score n rows from the memory map; seconds of that, and of the bare work on such blocks.

    The bare work is a product into a buffer that is used again, an exponential and the sums over
    rows and columns, of unit rows that are in memory, in blocks of the size that the pass uses.
    """
    import torch

    target_MD = np.load(folder / TARGET_FILE)
    potentials = _few_potentials(folder, target_MD)
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
            one_BD, out_BM = rows_BD[place : place + size], kernel_BM[:size]
            if dtype == torch.float32:
                torch.mm(one_BD, target_DM, out=out_BM)
            else:
                torch.mm(one_BD, target_DM, out=product_BM[:size])
                out_BM.copy_(product_BM[:size])
            out_BM.exp_()
            out_BM.sum(dim=1)
            out_BM.sum(dim=0)

    bare(len(rows_BD))
    one_pass = PoolPass([Side(target_MD, potentials)], precision=precision)
    passed = one_pass.over(blocks(folder, n))
    pass_seconds = bare_seconds = 0.0
    for first in range(0, n, TURN * READ_ROWS):
        count = min(TURN * READ_ROWS, n - first)
        started = time.perf_counter()
        for _ in range(0, count, READ_ROWS):
            next(passed)
        turned = time.perf_counter()
        bare(count)
        pass_seconds += turned - started
        bare_seconds += time.perf_counter() - turned
    return pass_seconds, bare_seconds


def score_alone(folder: Path, n: int) -> tuple[float, int]:
    """Score n rows and do nothing else; seconds, and the most bytes this process ever held."""
    target_MD = np.load(folder / TARGET_FILE)
    potentials = _few_potentials(folder, target_MD)
    started = time.perf_counter()
    one_pass = PoolPass([Side(target_MD, potentials)])
    scored = sum(potential_SB.shape[1] for potential_SB in one_pass.over(blocks(folder, n)))
    if scored != n:
        raise RuntimeError(f"{scored} of {n} rows were scored")
    return time.perf_counter() - started, peak_of_process()


def _few_potentials(folder: Path, target_MD: np.ndarray) -> Potentials:
    """Solve on the first blocks: which potentials a pass scores with does not change its time."""
    return solve_potentials(next(blocks(folder, READ_ROWS)), target_MD)


def sampled_solve(folder: Path, n: int) -> Sampled:
    """Solve on a sample with the options of a study, certify, and score every row."""
    target_MD = np.load(folder / TARGET_FILE)
    options = OtOptions()

    def keyed() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng(1)
        return ((rng.random(len(rows_BD)), rows_BD) for rows_BD in blocks(folder, n))

    def call() -> Sampled:
        found = solve_on_sample(
            keyed,
            target_MD,
            n_rows=options.solve_rows,
            certificate=Certificate(options.max_pool_residual, options.min_overlap),
            options={"eps_rel": options.eps_rel, "tol": options.tol},
        )
        for _ in PoolPass([Side(target_MD, found.potentials)]).over(blocks(folder, n)):
            pass
        return Sampled(0.0, 0, found.n_solved, found.pool_fit.residual, found.certified)

    import torch  # noqa: F401  # the engine loads it in its first call

    one = measure(call)
    return Sampled(
        one.seconds,
        one.peak_bytes,
        one.result.n_solved,
        one.result.residual,
        one.result.certified,
    )


def streamed_solve(folder: Path, n: int) -> Streamed:
    """Solve on all rows, evaluating the kernel anew in each pass."""
    import torch  # noqa: F401  # the engine loads it in its first call

    target_MD = np.load(folder / TARGET_FILE)
    pool_ND = np.load(folder / POOL_FILE, mmap_mode="r")[:n]
    one = measure(lambda: solve_potentials(pool_ND, target_MD, path="streamed"))
    return Streamed(one.seconds, one.peak_bytes, one.result.residual, one.result.path)


@dataclass(frozen=True)
class Refreshed:
    """A solve after rows were added: cold, from the potentials before, and by the new rows."""

    cold_seconds: float
    warm_seconds: float
    refresh_seconds: float
    residual: float


def warm_refresh(folder: Path, rows: int, added: int, repeats: int) -> Refreshed:
    """Time the three ways; the residual of the refresh is that over all rows, in float64.

    Raises
    ------
    RuntimeError
        The refresh asked for a new solve.
    """
    target_MD = np.load(folder / TARGET_FILE)
    pool_ND = np.load(folder / POOL_FILE)[: rows + added]
    before = solve_potentials(pool_ND[:rows], target_MD, precision="auto")
    ways: dict[str, Callable[[], Potentials | None]] = {
        "cold": lambda: solve_potentials(pool_ND, target_MD, precision="auto"),
        "warm": lambda: solve_potentials(pool_ND, target_MD, warm_start=before, precision="auto"),
        "refresh": lambda: refresh_potentials(
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
    (fit,) = exact.fits()
    return Refreshed(seconds["cold"], seconds["warm"], seconds["refresh"], fit.residual)
