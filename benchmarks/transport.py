"""How does entropic optimal transport by this project compare with POT, GeomLoss and OTT-JAX?

On real text embeddings, on the CPU. Every solver gets the same unit rows, weights and eps, and is
brought to the same residual of the target's marginal, which this benchmark computes in float64 for
all of them. A peer runs exactly as many of its own iterations as that takes, and not one more;
ours stops by its own rule. Times include the cost and the kernel. Each solver runs in a process of
its own; those that are fast take turns and keep their best time.

Then: the share of the machine's limit that our solve and our scoring pass reach, a refresh after
1 % of the rows were added, and a growth series up to a million rows.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from harness import in_own_process, parse_arguments, publish
from pools import BLOCK, POOL_FILE, TARGET_FILE, read_target, unit
from transport_contest import COARSE, FINE, ROUNDS, Contest, Sizes, Table, headline, written
from transport_growth import growth
from transport_passes import measure_limit, score_against_limit, score_alone, warm_refresh
from transport_solvers import SOLVERS

LIBRARIES = ("numpy", "torch", "POT", "geomloss", "pykeops", "ott-jax", "jax")
FULL = Sizes(20_000, 2000, (10_000, 50_000, 200_000, 1_000_000), 1_000_000, 12.0, 4.0)
QUICK = Sizes(3000, 500, (10_000, 30_000), 100_000, 3.0, 0.5)
GB, NOISE = 1e9, 0.1


def main() -> None:
    """Measure part by part, print, and with --json write."""
    arguments = parse_arguments(__doc__)
    sizes = QUICK if arguments.quick else FULL
    with tempfile.TemporaryDirectory() as name, ExitStack() as processes:
        folder, grown = Path(name) / "real", Path(name) / "grown"
        write_real(folder, sizes)
        contest = Contest(folder, sizes, processes)
        tables = contest.tables()
        figures = headline(tables[COARSE], tables[FINE])
        figures |= limit(folder, sizes, tables[COARSE])
        figures |= in_own_process(warm_refresh, folder, sizes.rows, sizes.rows // 100, ROUNDS)
        write_grown(folder, grown, sizes)
        figures |= scoring(grown, sizes)
        details = {f"residual {tol:g}": written(table) for tol, table in tables.items()}
        details["growth"] = growth(grown, sizes, contest, tables[COARSE])
    print()
    publish(figures, LIBRARIES, arguments.json, details=details)


def write_real(folder: Path, sizes: Sizes) -> None:
    """Write the embeddings of the pool, 1 % of spare rows for the refresh, and the target.

    In a process of its own: the embedding model takes memory and seconds to import.
    """
    embedded = in_own_process(_embed, sizes.rows + sizes.rows // 100, sizes.target)
    folder.mkdir()
    np.save(folder / POOL_FILE, embedded.pool_ND)
    np.save(folder / TARGET_FILE, embedded.target_MD)
    print(
        f"{sizes.rows:,} x {sizes.target:,} x {embedded.pool_ND.shape[1]}: all-MiniLM-L6-v2 of "
        f"{embedded.texts}"
    )


def _embed(n_pool: int, n_target: int) -> Any:
    from real_embeddings import real_embeddings

    return real_embeddings(n_pool, n_target)


def write_grown(folder: Path, grown: Path, sizes: Sizes) -> None:
    """Write a larger pool of rows drawn from the real ones, each with some noise; its target."""
    real_ND = np.load(folder / POOL_FILE)[: sizes.rows]
    rng, shape = np.random.default_rng(0), (sizes.scored, real_ND.shape[1])
    grown.mkdir()
    pool_ND = np.lib.format.open_memmap(grown / POOL_FILE, "w+", np.float16, shape)
    for start in range(0, sizes.scored, BLOCK):
        block_BD = pool_ND[start : start + BLOCK]
        noise_BD = rng.standard_normal(block_BD.shape, dtype=np.float32) * NOISE / np.sqrt(shape[1])
        block_BD[:] = unit(real_ND[rng.integers(len(real_ND), size=len(block_BD))] + noise_BD)
    pool_ND.flush()
    np.save(grown / TARGET_FILE, read_target(folder))


def limit(folder: Path, sizes: Sizes, table: Table) -> dict[str, float]:
    """Compare our solves with the work that no solver can avoid, timed bare.

    One matrix product and one exponential of every entry, and one read of the kernel in each pass.
    """
    bare = in_own_process(measure_limit, folder, sizes.rows)
    figures = {"read_limit_seconds": bare["read"]}
    for precision in ("float32", "bfloat16"):
        line = table[f"ours, {precision}"]
        if line.counts:
            seconds = bare[precision] + line.iterations * bare["read"]
            figures[f"solve_share_of_limit_{precision}"] = seconds / line.seconds
            figures[f"evaluation_limit_seconds_{precision}"] = bare[precision]
    return figures


def scoring(grown: Path, sizes: Sizes) -> dict[str, float]:
    """Score the largest pool from its memory map: seconds, the process's peak, and over the limit.

    The limit is the bare product, exponential and sums, in turns with the pass: in float32, the
    default of the engine, and where it can in bfloat16 on a tenth of the rows.
    """
    alone, peak_bytes = in_own_process(score_alone, grown, sizes.scored)
    figures = {"score_pass_seconds": alone, "score_pass_rss_gb": peak_bytes / GB}
    passed, bare = in_own_process(score_against_limit, grown, sizes.scored, "float32")
    figures["score_pass_over_limit"] = passed / bare
    if not SOLVERS["ours, bfloat16"].missing:
        passed, bare = in_own_process(score_against_limit, grown, sizes.scored // 10, "bfloat16")
        figures["score_pass_over_limit_bfloat16"] = passed / bare
    return figures


if __name__ == "__main__":
    main()
