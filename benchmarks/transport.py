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
from harness import parse_arguments, publish
from transport_contest import COARSE, FINE, ROUNDS, Contest, Sizes, Table, headline, written
from transport_growth import growth, scoring
from transport_lane import POOL_FILE, TARGET_FILE, in_a_process_of_its_own
from transport_passes import measure_limit, warm_refresh, write_pool

from selection.reports.tables import text_table

LIBRARIES = ("numpy", "torch", "POT", "geomloss", "pykeops", "ott-jax", "jax")
FULL = Sizes(20_000, 2000, (10_000, 50_000, 200_000, 1_000_000), 1_000_000, 12.0, 4.0)
QUICK = Sizes(3000, 500, (10_000, 30_000), 100_000, 3.0, 0.5)


def main() -> None:
    """Measure part by part, print, and with --json write."""
    arguments = parse_arguments(__doc__)
    sizes = QUICK if arguments.quick else FULL
    figures: dict[str, Any] = {}
    details: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, ExitStack() as open_lanes:
        folder, grown = Path(name) / "real", Path(name) / "grown"
        folder.mkdir()
        grown.mkdir()
        write_real(folder, sizes)
        contest = Contest(folder, sizes, open_lanes)
        tables = contest.tables()
        figures |= headline(tables[COARSE], tables[FINE])
        details |= {f"residual {tol:g}": written(table) for tol, table in tables.items()}
        limit(folder, sizes, tables[COARSE], figures)
        refresh(folder, sizes, figures)
        write_grown(folder, grown, sizes)
        scoring(grown, sizes, figures)
        details["growth"] = growth(grown, sizes, contest, tables[COARSE])
    print()
    publish(figures, LIBRARIES, arguments.json, details=details)


def write_real(folder: Path, sizes: Sizes) -> None:
    """Write the embeddings of the pool, 1 % of spare rows for the refresh, and the target.

    In a process of its own: the embedding model takes memory and seconds to import.
    """
    embedded = in_a_process_of_its_own(_embed, sizes.rows + sizes.rows // 100, sizes.target)
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
    write_pool(grown, np.load(folder / POOL_FILE)[: sizes.rows], sizes.scored)
    (grown / TARGET_FILE).write_bytes((folder / TARGET_FILE).read_bytes())


def limit(folder: Path, sizes: Sizes, table: Table, figures: dict[str, Any]) -> None:
    """Compare our solves with the work that no solver can avoid, timed bare."""
    bound = in_a_process_of_its_own(measure_limit, folder, sizes.rows)
    rows = []
    for precision, evaluate in (("float32", bound.float32), ("bfloat16", bound.bfloat16)):
        line = table[f"ours, {precision}"]
        if not line.counts:
            rows.append([f"ours, {precision}", None, None, line.why_not])
            continue
        seconds = evaluate + line.iterations * bound.read
        share = seconds / line.seconds
        rows.append([f"ours, {precision}", seconds, line.seconds, f"{share:.0%}"])
        figures[f"solve_share_of_limit_{precision}"] = share
        figures[f"evaluation_limit_seconds_{precision}"] = evaluate
    figures["read_limit_seconds"] = bound.read
    print(
        "\nLimit of a solve: one matrix product and one exponential of every entry, and one read\n"
        "of the kernel in each pass, timed bare\n"
        + text_table(["", "limit, seconds", "ours, seconds", "of the limit"], rows)
    )


def refresh(folder: Path, sizes: Sizes, figures: dict[str, Any]) -> None:
    """Time a solve again after 1 % of the rows were added."""
    added = sizes.rows // 100
    found = in_a_process_of_its_own(warm_refresh, folder, sizes.rows, added, ROUNDS)
    share = found.refresh_seconds / found.cold_seconds
    print(
        f"\nRefresh after {added} rows were added to {sizes.rows:,}: "
        f"cold {found.cold_seconds:.3f} s, "
        f"all rows from the old potentials {found.warm_seconds:.3f} s,\n"
        f"new rows and a sample of the old {found.refresh_seconds:.3f} s ({share:.1%} of cold), "
        f"residual over all rows {found.residual:.1e}"
    )
    figures["cold_solve_seconds"] = found.cold_seconds
    figures["warm_start_seconds"] = found.warm_seconds
    figures["warm_refresh_seconds"] = found.refresh_seconds
    figures["warm_refresh_residual"] = found.residual
    figures["warm_refresh_share"] = share


if __name__ == "__main__":
    main()
