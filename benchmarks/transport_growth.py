"""What do larger pools take: a scoring pass, and solves up to a million rows?"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from transport_contest import COARSE, Contest, Line, MiB, Sizes, Table, written
from transport_judge import Judge
from transport_lane import in_a_process_of_its_own, load_problem
from transport_passes import sampled_solve, score_against_limit, score_alone, streamed_solve
from transport_problem import OWN_RULE
from transport_solvers import SOLVERS

TENTH = 10
# What a peer may hold, and up to where its residual is computed.
PEER_BYTES, JUDGED_ROWS = 6 * 2**30, 100_000
GB = 1e9


def scoring(grown: Path, sizes: Sizes, figures: dict[str, Any]) -> None:
    """Score the largest pool from its memory map: time over the bare work, and the process's peak.

    In float32, the default of the engine, and where it can in bfloat16 on a tenth of the rows.
    """
    alone, peak_bytes = in_a_process_of_its_own(score_alone, grown, sizes.scored)
    print(
        f"\nScoring {sizes.scored:,} rows alone: {alone:.1f} s, the process held at most "
        f"{peak_bytes / GB:.2f} GB"
    )
    figures["score_pass_seconds"], figures["score_pass_rss_gb"] = alone, peak_bytes / GB
    parts = [("float32", sizes.scored, "score_pass_over_limit")]
    if not SOLVERS["ours, bfloat16"].missing:
        parts.append(("bfloat16", sizes.scored // TENTH, "score_pass_over_limit_bfloat16"))
    for precision, rows, name in parts:
        passed, bare = in_a_process_of_its_own(score_against_limit, grown, rows, precision)
        figures[name] = passed / bare
        print(
            f"  {precision}, {rows:,} rows in turns with the bare product, exponential and sums: "
            f"{passed:.1f} s against {bare:.1f} s, {passed / bare:.2f} times the limit"
        )


def growth(grown: Path, sizes: Sizes, contest: Contest, table: Table) -> dict[str, Any]:
    """Time ours on a sample (certified, all rows scored) and on all rows, and the peers that can.

    A run is left out when it would take too long by the size before it. Gives what was measured,
    by size and solver.
    """
    measured: dict[str, Any] = {}
    print(
        f"\nGrowth\n{'rows':>10}  {'ours, sample and all scored':<44}{'ours, streamed':<20}"
        f"\n{'':>10}  {'seconds':>8}{'peak MiB':>10}{'solved on':>11}{'residual':>10}     "
        f"{'seconds':>8}{'peak MiB':>10}{'residual':>10}"
    )
    streamed_rate = 0.0
    for n in sizes.growth:
        sampled = in_a_process_of_its_own(sampled_solve, grown, n)
        measured[f"{n}"] = {"ours, sample and all scored": asdict(sampled)}
        certified = "" if sampled.certified else "!"
        whole = f"left out: would take about {streamed_rate * n:.0f} s"
        if streamed_rate * n <= 2 * sizes.growth_seconds:
            streamed = in_a_process_of_its_own(streamed_solve, grown, n)
            streamed_rate = streamed.seconds / n
            measured[f"{n}"]["ours, streamed"] = asdict(streamed)
            whole = (
                f"{streamed.seconds:>8.2f}{streamed.peak_bytes / MiB:>10.0f}"
                f"{streamed.residual:>10.1e}"
            )
        print(
            f"{n:>10,}  {sampled.seconds:>8.2f}{sampled.peak_bytes / MiB:>10.0f}"
            f"{sampled.n_solved:>11,}{sampled.residual:>10.1e}{certified:<5}{whole}"
        )
    print("peers, seconds (residual)")
    lines = dict(table)
    rows_before = sizes.rows
    for n in sizes.growth:
        lines = _peers_at(grown, n, rows_before, sizes, contest, lines)
        measured[f"{n}"] |= written(lines)
        rows_before = n
    return measured


def _peers_at(
    grown: Path,
    n: int,
    rows_before: int,
    sizes: Sizes,
    contest: Contest,
    before: Table,
) -> Table:
    """Run the peers that can at n rows, and print them; gives their lines for the next size."""
    lines: Table = {}
    chosen = {
        label: line
        for label, line in before.items()
        if line.counts and SOLVERS[label].schedule != OWN_RULE
    }
    grow = n / rows_before
    judge: Judge | None = None
    for label, line in chosen.items():
        why_not = _why_not_at(n, line, grow, sizes)
        if why_not:
            lines[label] = replace(line, why_not=why_not)
            print(f"{n:>10,}  {label:<36}{why_not}")
            continue
        if judge is None:
            judge = Judge(load_problem(grown, n, contest.eps), hold=True)
        lane = contest.lanes[label]
        lane.prepare(grown, n, contest.eps).result()
        run = lane.run(COARSE, judge.iterations_to(COARSE, SOLVERS[label].schedule))
        residual = judge.residual(run.solved.g_M)
        lines[label] = replace(
            line,
            seconds=run.seconds,
            iterations=run.solved.iterations,
            # What the size before left behind in the process is not seen by the measurement.
            peak_bytes=max(run.peak_bytes, int(line.peak_bytes * grow)),
            residual=residual,
            overlap=float("nan"),
        )
        print(f"{n:>10,}  {label:<36}{run.seconds:>8.2f}  ({residual:.1e})")
    return lines


def _why_not_at(n: int, before: Line, grow: float, sizes: Sizes) -> str:
    """Say why a peer is left out at a size, judged from the size before; empty when it runs."""
    if n > JUDGED_ROWS:
        return f"left out: residuals are computed up to {JUDGED_ROWS:,} rows"
    if before.peak_bytes * grow > PEER_BYTES:
        return f"left out: would hold about {before.peak_bytes * grow / GB:.0f} GB"
    if before.seconds * grow > sizes.growth_seconds:
        return f"left out: would take about {before.seconds * grow:.0f} s"
    return ""
