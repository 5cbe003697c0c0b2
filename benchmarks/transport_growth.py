"""What do larger pools take: solves of ours and of the peers, up to a million rows?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import in_own_process
from transport_contest import COARSE, Contest, Line, MiB, Sizes, Table, peers_that_count, written
from transport_judge import Judge
from transport_passes import sampled_solve, streamed_solve
from transport_problem import load_problem
from transport_solvers import SOLVERS

from selection.reports.tables import text_table

# What a peer may hold, and up to where its residual is computed.
PEER_BYTES, JUDGED_ROWS = 6 * 2**30, 100_000
GB = 1e9


def growth(grown: Path, sizes: Sizes, contest: Contest, table: Table) -> dict[str, Any]:
    """Time ours on a sample (certified, all rows scored) and on all rows, and the peers that can.

    A run is left out when it would take too long by the size before it. Prints a table and gives
    what was measured, by size and solver.
    """
    measured: dict[str, Any] = {}
    streamed_rate, rows_before, lines = 0.0, sizes.rows, table
    for n in sizes.growth:
        ours: dict[str, Any] = {
            "ours, sample and all scored": in_own_process(sampled_solve, grown, n)
        }
        if streamed_rate * n <= 2 * sizes.growth_seconds:
            streamed = in_own_process(streamed_solve, grown, n)
            streamed_rate = streamed["seconds"] / n
        else:
            streamed = {"why_not": _too_long(streamed_rate * n)}
        lines = _peers_at(grown, n, rows_before, sizes, contest, lines)
        measured[f"{n}"] = ours | {"ours, streamed": streamed} | written(lines)
        rows_before = n
    rows = [
        [int(n), label, *_cells(found)]
        for n, own in measured.items()
        for label, found in own.items()
    ]
    columns = ["rows", "", "seconds", "peak MiB", "residual", "remark"]
    print(f"\nGrowth\n{text_table(columns, rows)}")
    return measured


def _cells(found: dict[str, Any]) -> list[Any]:
    """Give seconds, memory, residual and remark of a run; gaps where it was left out."""
    if "why_not" in found:
        return [None, None, None, found["why_not"]]
    remark = ""
    if "n_solved" in found:
        remark = f"solved on {found['n_solved']:,}{'' if found['certified'] else ', not certified'}"
    return [found["seconds"], round(found["peak_bytes"] / MiB), found["residual"], remark]


def _peers_at(
    grown: Path, n: int, rows_before: int, sizes: Sizes, contest: Contest, before: Table
) -> Table:
    """Run the peers that can at n rows; gives their lines, for the next size too."""
    lines: Table = {}
    grow = n / rows_before
    judge: Judge | None = None
    for label, line in peers_that_count(before).items():
        why_not = _why_not_at(n, line, grow, sizes)
        if why_not:
            lines[label] = replace(line, why_not=why_not)
            continue
        judge = judge or Judge(load_problem(grown, n, contest.eps))
        contest.prepare(label, grown, n).result()
        run = contest.run(label, COARSE, judge.iterations_to(COARSE, SOLVERS[label].schedule))
        lines[label] = replace(
            line,
            seconds=run.seconds,
            iterations=run.result.iterations,
            # What the size before left behind in the process is not seen by the measurement.
            peak_bytes=max(run.peak_bytes, int(line.peak_bytes * grow)),
            residual=judge.residual(run.result.g_M),
            overlap=float("nan"),
        )
    return lines


def _why_not_at(n: int, before: Line, grow: float, sizes: Sizes) -> str:
    """Say why a peer is left out at a size, judged from the size before; empty when it runs."""
    if n > JUDGED_ROWS:
        return f"left out: residuals are computed up to {JUDGED_ROWS:,} rows"
    if before.peak_bytes * grow > PEER_BYTES:
        return f"left out: would hold about {before.peak_bytes * grow / GB:.0f} GB"
    if before.seconds * grow > sizes.growth_seconds:
        return _too_long(before.seconds * grow)
    return ""


def _too_long(seconds: float) -> str:
    return f"left out: would take about {seconds:.0f} s"
