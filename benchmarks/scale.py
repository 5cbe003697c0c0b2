"""How do time and memory grow with the pool, from 10,000 rows to a million?

Three parts of a study, each measured at each size in a process of its own: scoring by optimal
transport, the search for each row's nearest target row, and the selection of 5 % of the rows with
near-duplicates collapsed. The pool is synthetic: clusters in 384 dimensions, every fiftieth row a
near-duplicate of the one before it, float16 in a memory-mapped file. An exponent is the slope of
the least-squares line between logarithms.

Memory is the peak of the process above what it held when the call began. Scoring and search read
the file block by block and hand their results on, so nothing in it need grow. A selection holds
its result (rank, fate, margin and twin of every row) and the order of the ids, which do grow;
they are counted, and the vectors, which it is given, are not.

With --json, a picture of the measurements is written beside the file.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import faiss  # noqa: F401  # loaded before the first measurement, as is torch
import numpy as np
import torch
from gpu_sections.pool import make_problem
from harness import Measured, in_own_process, measure, parse_arguments, publish
from pools import POOL_FILE, TARGET_FILE, blocks, read_target, unit

from selection.neighbours.targets import nearest_targets
from selection.reports.plots.style import FONT, MARKERS, PALETTE, label_axes, new_figure, to_png
from selection.subset.choose import choose_rows
from selection.transport.pool_pass import PoolPass
from selection.transport.potentials import solve_potentials
from selection.transport.solution import Side

SIZES = (10_000, 31_623, 100_000, 316_228, 1_000_000)
QUICK_SIZES = SIZES[:3]
LIBRARIES = ("numpy", "torch", "faiss-cpu", "faiss-gpu")
WIDTH = 384
TARGETS = 2000
NEAR_DUPLICATE_EVERY = 50
SELECTED_SHARE = 0.05
FEW, SMALL = 256, 100_000
MiB = 2**20


def main() -> None:
    """Measure, print, fit the exponents and, with --json, write and draw."""
    arguments = parse_arguments(__doc__)
    sizes = QUICK_SIZES if arguments.quick else SIZES
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        in_own_process(write_clusters, Path(folder), sizes[-1])
        measured = {
            (part, n): in_own_process(measure_part, part, Path(folder), n)
            for part in PARTS
            for n in sizes
        }
    for (part, n), one in measured.items():
        figures[f"{part}, {n:,} rows, seconds"] = one.seconds
        figures[f"{part}, {n:,} rows, peak MiB"] = one.peak_bytes / MiB
    for part in PARTS:
        name = "" if part == "scoring" else f"{part}_"
        runs = [measured[part, n] for n in sizes]
        figures[f"{name}time_exponent"] = slope(sizes, [run.seconds for run in runs])
        figures[f"{name}memory_exponent"] = slope(sizes, [run.peak_bytes for run in runs])
    publish(figures, LIBRARIES, arguments.json)
    if arguments.json is not None:
        arguments.json.with_suffix(".png").write_bytes(draw(sizes, measured))


def write_clusters(folder: Path, n: int) -> None:
    """Write a pool of n clustered unit vectors, and a target like a tenth of its clusters.

    Every fiftieth row of the pool is a near-duplicate of the one before it.
    """
    problem = make_problem(n, TARGETS, WIDTH, torch.device("cpu"))
    pool_ND = problem.pool_ND.numpy()
    twins = np.arange(NEAR_DUPLICATE_EVERY, n, NEAR_DUPLICATE_EVERY)
    noise_KD = np.random.default_rng(0).normal(size=(len(twins), WIDTH))
    pool_ND[twins] = unit(pool_ND[twins - 1] + 0.1 * unit(noise_KD))
    np.save(folder / POOL_FILE, pool_ND)
    np.save(folder / TARGET_FILE, problem.target_MD.numpy())


def measure_part(part: str, folder: Path, n: int) -> Measured:
    """Measure a part, the small sizes twice: the faster call, and the larger peak.

    The libraries are there before. Nothing else has run, as memory that a call before had freed
    would be taken again without being counted.
    """
    return measure(PARTS[part](folder, n), repeats=2 if n <= SMALL else 1)


def scoring(folder: Path, n: int) -> Callable[[], int]:
    """Prepare a pass of scores; the solve before it, on few rows, is not measured."""
    target_MD = read_target(folder)
    potentials = solve_potentials(next(blocks(folder, n))[:FEW], target_MD, tol=1e-2)
    return lambda: sum(
        potential_SB.shape[1]
        for potential_SB in PoolPass([Side(target_MD, potentials)]).over(blocks(folder, n))
    )


def neighbour_search(folder: Path, n: int) -> Callable[[], int]:
    """Prepare a pass that finds each row's nearest target row."""
    target_MD = read_target(folder)
    return lambda: sum(
        len(nearest_targets(rows_BD, target_MD, 1)[0]) for rows_BD in blocks(folder, n)
    )


def selection(folder: Path, n: int) -> Callable[[], int]:
    """Prepare the selection of rows near the target's mean, which are near each other too."""
    mean_D = read_target(folder).astype(np.float32).mean(axis=0)
    vectors_ND = np.concatenate(list(blocks(folder, n)))
    score_N = np.concatenate([rows_BD.astype(np.float32) @ mean_D for rows_BD in blocks(folder, n)])
    rng = np.random.default_rng(0)
    row_id = np.array([rng.bytes(16).hex() for _ in range(n)])
    n_tokens = rng.integers(20, 200, n)
    return lambda: len(
        choose_rows(
            row_id=row_id,
            score=score_N,
            n_tokens=n_tokens,
            token_budget=int(SELECTED_SHARE * n_tokens.sum()),
            embeddings=vectors_ND,
        ).selected
    )


PARTS = {"scoring": scoring, "neighbours": neighbour_search, "subset": selection}


def slope(sizes: tuple[int, ...], values: list[float]) -> float:
    """Fit the exponent of a power law."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def draw(sizes: tuple[int, ...], measured: dict[tuple[str, int], Measured]) -> bytes:
    """Draw the seconds of every part over the rows, as a PNG."""
    figure, axes = new_figure(6.4, 3.8)
    for part, colour, marker in zip(PARTS, PALETTE, MARKERS, strict=False):
        seconds = [measured[part, n].seconds for n in sizes]
        label = f"{part}, N^{slope(sizes, seconds):.2f}"
        axes.loglog(sizes, seconds, color=colour, marker=marker, markersize=5, label=label)
    axes.legend(fontsize=FONT, frameon=False)
    label_axes(axes, title="Time against the size of the pool", x="rows N", y="seconds")
    return to_png(figure)


if __name__ == "__main__":
    main()
