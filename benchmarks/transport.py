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

from selection.reports.tables import text_table

LIBRARIES = ("numpy", "torch", "POT", "geomloss", "pykeops", "ott-jax", "jax")
FULL = Sizes(20_000, 2000, (10_000, 50_000, 200_000, 1_000_000), 1_000_000, 12.0, 4.0)
QUICK = Sizes(3000, 500, (10_000, 30_000), 100_000, 3.0, 0.5)
GB, TENTH, NOISE = 1e9, 10, 0.1


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
        figures |= refresh(folder, sizes)
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
    """Write the larger pool, and the same target."""
    print(
        f"\nLarger pools: rows drawn from the {sizes.rows:,} real ones, each with a little seeded "
        "noise; float16, memory-mapped."
    )
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
    """Compare our solves with the work that no solver can avoid, timed bare."""
    bare = in_own_process(measure_limit, folder, sizes.rows)
    figures = {"read_limit_seconds": bare["read"]}
    rows = []
    for precision in ("float32", "bfloat16"):
        line = table[f"ours, {precision}"]
        if not line.counts:
            rows.append([f"ours, {precision}", None, None, line.why_not])
            continue
        seconds = bare[precision] + line.iterations * bare["read"]
        share = seconds / line.seconds
        rows.append([f"ours, {precision}", seconds, line.seconds, f"{share:.0%}"])
        figures[f"solve_share_of_limit_{precision}"] = share
        figures[f"evaluation_limit_seconds_{precision}"] = bare[precision]
    print(
        "\nLimit of a solve: one matrix product and one exponential of every entry, and one read\n"
        "of the kernel in each pass, timed bare\n"
        + text_table(["", "limit, seconds", "ours, seconds", "of the limit"], rows)
    )
    return figures


def refresh(folder: Path, sizes: Sizes) -> dict[str, float]:
    """Time a solve again after 1 % of the rows were added."""
    added = sizes.rows // 100
    found = in_own_process(warm_refresh, folder, sizes.rows, added, ROUNDS)
    print(
        f"\nRefresh after {added} rows were added to {sizes.rows:,}: "
        f"cold {found['cold_solve_seconds']:.3f} s, "
        f"all rows from the old potentials {found['warm_start_seconds']:.3f} s,\n"
        f"new rows and a sample of the old {found['warm_refresh_seconds']:.3f} s "
        f"({found['warm_refresh_share']:.1%} of cold), "
        f"residual over all rows {found['warm_refresh_residual']:.1e}"
    )
    return found


def scoring(grown: Path, sizes: Sizes) -> dict[str, float]:
    """Score the largest pool from its memory map: time over the bare work, and the process's peak.

    In float32, the default of the engine, and where it can in bfloat16 on a tenth of the rows.
    """
    alone, peak_bytes = in_own_process(score_alone, grown, sizes.scored)
    print(
        f"\nScoring {sizes.scored:,} rows alone: {alone:.1f} s, the process held at most "
        f"{peak_bytes / GB:.2f} GB"
    )
    figures = {"score_pass_seconds": alone, "score_pass_rss_gb": peak_bytes / GB}
    parts = [("float32", sizes.scored, "score_pass_over_limit")]
    if not SOLVERS["ours, bfloat16"].missing:
        parts.append(("bfloat16", sizes.scored // TENTH, "score_pass_over_limit_bfloat16"))
    for precision, rows, name in parts:
        passed, bare = in_own_process(score_against_limit, grown, rows, precision)
        figures[name] = passed / bare
        print(
            f"  {precision}, {rows:,} rows in turns with the bare product, exponential and sums: "
            f"{passed:.1f} s against {bare:.1f} s, {passed / bare:.2f} times the limit"
        )
    return figures


if __name__ == "__main__":
    main()
