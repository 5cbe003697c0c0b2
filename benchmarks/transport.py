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
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from harness import parse_arguments, publish
from transport_judge import Judge
from transport_lane import (
    POOL_FILE,
    TARGET_FILE,
    Lane,
    in_a_process_of_its_own,
    load_problem,
)
from transport_passes import (
    measure_limit,
    sampled_solve,
    score_against_limit,
    score_alone,
    streamed_solve,
    warm_refresh,
    write_pool,
)
from transport_solvers import HEADLINE, OWN_RULE, SOLVERS, YARDSTICK, Solver

from selection.transport.stability import top_overlap

LIBRARIES = ("numpy", "torch", "POT", "geomloss", "pykeops", "ott-jax", "jax")
EPS_REL = 0.05
TOP_SHARE = 0.01
COARSE, FINE = 1e-3, 1e-5
# A peer's float32 may miss what exact arithmetic reaches in so many iterations by a few.
MORE_ITERATIONS = 3
# A solver is called in turn with the others, at most so often, while its calls take no more
# seconds than this in all.
ROUNDS, TURN_SECONDS = 6, 4.0
TENTH, PROBE = 10, 40
# Of the growth series: what a peer may hold, and up to where its residual is computed.
PEER_BYTES, JUDGED_ROWS = 6 * 2**30, 100_000
MiB, GB = 2**20, 1e9


@dataclass(frozen=True)
class Sizes:
    """Rows of each part, and how long a peer may take."""

    rows: int
    target: int
    growth: tuple[int, ...]
    scored: int
    peer_seconds: float
    growth_seconds: float


FULL = Sizes(20_000, 2000, (10_000, 50_000, 200_000, 1_000_000), 1_000_000, 12.0, 4.0)
QUICK = Sizes(3000, 500, (10_000, 30_000), 100_000, 3.0, 0.5)


@dataclass(frozen=True)
class Line:
    """What a solver did at one tolerance; ``why_not`` says why it does not count, if so.

    Of one that was left out, only the seconds that it would have taken are known.
    """

    seconds: float = float("nan")
    expected_seconds: float = float("nan")
    peak_bytes: int = 0
    iterations: int = 0
    residual: float = float("nan")
    overlap: float = float("nan")
    precision: str = ""
    why_not: str = ""

    @property
    def counts(self) -> bool:
        """Whether it reached the tolerance."""
        return not self.why_not


Table = dict[str, Line]


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


# ---------------------------------------------------------------- every solver on the real problem


class Contest:
    """The solvers, each in its process, and the judge of what they give.

    Parameters
    ----------
    folder : Path
        Of the real pool and target.
    sizes : Sizes
    open_lanes : ExitStack
        Ends the processes.
    """

    def __init__(self, folder: Path, sizes: Sizes, open_lanes: ExitStack) -> None:
        self._folder, self._sizes = folder, sizes
        problem = load_problem(folder, sizes.rows, eps=1.0)
        mean_cost = 2.0 - 2.0 * float(problem.x_ND.mean(axis=0) @ problem.y_MD.mean(axis=0))
        self.eps = EPS_REL * mean_cost
        print(f"eps = {EPS_REL} x mean cost = {self.eps:.4f}; uniform weights; cost |x - y|^2")
        self._judge = Judge(replace(problem, eps=self.eps), hold=True)
        self._reference_N = self._judge.reference()
        self._missing = {label: solver.missing for label, solver in SOLVERS.items()}
        self.lanes = {
            label: open_lanes.enter_context(Lane(label))
            for label, missing in self._missing.items()
            if not missing
        }
        for ready in [self._prepare(lane, sizes.rows) for lane in self.lanes.values()]:
            ready.result()

    def tables(self) -> dict[float, Table]:
        """Bring every solver to both tolerances, and print what each took."""
        coarse = {label: self._line(SOLVERS[label], COARSE, None) for label in SOLVERS}
        self._take_turns(coarse, COARSE)
        _print_table(coarse, COARSE)
        fine = {label: self._line(SOLVERS[label], FINE, coarse[label]) for label in SOLVERS}
        self._take_turns(fine, FINE)
        _print_table(fine, FINE)
        return {COARSE: coarse, FINE: fine}

    def _line(self, solver: Solver, tol: float, coarse: Line | None) -> Line:
        """Run a solver once, or as often as it takes until it is within tol by our measure."""
        if self._missing[solver.label]:
            return Line(why_not=self._missing[solver.label])
        iterations = self._iterations(solver, tol)
        expected = self._expected_seconds(solver, iterations, tol, coarse)
        if expected > self._sizes.peer_seconds:
            return Line(
                expected_seconds=expected,
                iterations=iterations,
                why_not=f"left out: would take about {expected:.0f} s",
            )
        line = self._run(solver, tol, iterations)
        # Only the first call of a process shows what it takes; more iterations take no more.
        peak_bytes = max(line.peak_bytes, coarse.peak_bytes if coarse else 0)
        allowed = 0 if solver.schedule == OWN_RULE else MORE_ITERATIONS
        while not line.counts and line.iterations < iterations + allowed:
            line = self._run(solver, tol, line.iterations + 1)
        return replace(line, peak_bytes=peak_bytes)

    def _run(self, solver: Solver, tol: float, iterations: int) -> Line:
        run = self.lanes[solver.label].run(tol, iterations)
        residual = self._judge.residual(run.solved.g_M)
        return Line(
            seconds=run.seconds,
            peak_bytes=run.peak_bytes,
            iterations=run.solved.iterations,
            residual=residual,
            overlap=top_overlap(run.solved.f_N, self._reference_N, share=TOP_SHARE),
            precision=run.solved.precision,
            why_not="" if residual <= tol else "does not reach the residual",
        )

    def _iterations(self, solver: Solver, tol: float) -> int:
        """Fewest iterations of a peer's schedule; what ours is given does not matter."""
        return 1 if solver.schedule == OWN_RULE else self._judge.iterations_to(tol, solver.schedule)

    def _expected_seconds(
        self, solver: Solver, iterations: int, tol: float, coarse: Line | None
    ) -> float:
        """Judge the time of a run from the coarser one, or from one on a few of the rows."""
        if coarse is not None and coarse.iterations:
            known = coarse.expected_seconds if coarse.seconds != coarse.seconds else coarse.seconds
            return known * iterations / coarse.iterations
        if not solver.recomputes:
            return 0.0
        lane, rows = self.lanes[solver.label], self._sizes.rows
        self._prepare(lane, rows // PROBE).result()
        expected = PROBE * lane.run(tol, iterations).seconds
        self._prepare(lane, rows).result()
        return expected

    def _take_turns(self, table: Table, tol: float) -> None:
        """Run the fast ones again, in turns, so that noise hits all alike; keep the best times."""
        for done in range(1, ROUNDS):
            for label, line in table.items():
                if line.counts and (done + 1) * line.seconds <= TURN_SECONDS:
                    run = self.lanes[label].run(tol, line.iterations)
                    table[label] = replace(line, seconds=min(line.seconds, run.seconds))

    def _prepare(self, lane: Lane, rows: int) -> Any:
        return lane.prepare(self._folder, rows, self.eps)


def _print_table(table: Table, tol: float) -> None:
    ours = table[HEADLINE]
    print(f"\nResidual {tol:g}")
    print(
        f"{'':<36}{'iterations':>11}{'seconds':>9}{'x ours':>8}{'peak MiB':>10}{'x ours':>8}"
        f"{'residual':>11}{'top 1 %':>9}"
    )
    for label, line in table.items():
        if line.seconds != line.seconds:
            print(f"{label:<36}{line.why_not}")
            continue
        print(
            f"{label:<36}{line.iterations:>11}{line.seconds:>9.3f}"
            f"{line.seconds / ours.seconds:>8.1f}{line.peak_bytes / MiB:>10.0f}"
            f"{line.peak_bytes / ours.peak_bytes:>8.1f}{line.residual:>11.1e}{line.overlap:>9.3f}"
            f"  {line.precision}  {line.why_not}".rstrip()
        )


def headline(coarse: Table, fine: Table) -> dict[str, Any]:
    """Compare ours with the yardstick and with the fastest peer that reaches the residual."""
    ours, yardstick = coarse[HEADLINE], coarse[YARDSTICK]
    best, best_fine = _best_peer(coarse), _best_peer(fine)
    return {
        "precision_of_ours": ours.precision,
        "best_peer": best,
        "speedup_vs_pot_log": yardstick.seconds / ours.seconds,
        "speedup_vs_best_peer": coarse[best].seconds / ours.seconds,
        "memory_vs_pot_log": ours.peak_bytes / yardstick.peak_bytes,
        "memory_vs_best_peer": ours.peak_bytes / coarse[best].peak_bytes,
        "top1pct_overlap": ours.overlap,
        "residual": ours.residual,
        f"best_peer_at_{FINE:g}": best_fine,
        f"speedup_vs_best_peer_at_{FINE:g}": fine[best_fine].seconds / fine[HEADLINE].seconds,
    }


def _best_peer(table: Table) -> str:
    """Give the fastest peer that reached the residual."""
    peers = [
        label
        for label, line in table.items()
        if line.counts and SOLVERS[label].schedule != OWN_RULE
    ]
    if not peers:
        raise RuntimeError("no peer reached the residual: install the extra bench")
    return min(peers, key=lambda label: table[label].seconds)


def written(table: Table) -> dict[str, dict[str, Any]]:
    """Give a table's lines as JSON has them: what was not measured is left out."""
    return {
        label: {name: value for name, value in asdict(line).items() if value and value == value}
        for label, line in table.items()
    }


# --------------------------------------------------------------- the machine's limit, and a refresh


def limit(folder: Path, sizes: Sizes, table: Table, figures: dict[str, Any]) -> None:
    """Compare our solves with the work that no solver can avoid, timed bare."""
    bound = in_a_process_of_its_own(measure_limit, folder, sizes.rows)
    print(
        "\nLimit of a solve: one matrix product and one exponential of every entry, and one read\n"
        "of the kernel in each pass, timed bare\n"
        f"{'':<36}{'limit s':>9}{'ours s':>9}{'of the limit':>14}"
    )
    for precision, evaluate in (("float32", bound.float32), ("bfloat16", bound.bfloat16)):
        line = table[f"ours, {precision}"]
        if not line.counts:
            print(f"{'ours, ' + precision:<36}{line.why_not}")
            continue
        seconds = evaluate + line.iterations * bound.read
        share = seconds / line.seconds
        print(f"{'ours, ' + precision:<36}{seconds:>9.3f}{line.seconds:>9.3f}{share:>13.0%}")
        figures[f"solve_share_of_limit_{precision}"] = share
        figures[f"evaluation_limit_seconds_{precision}"] = evaluate
    figures["read_limit_seconds"] = bound.read


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


# -------------------------------------------------------------------------------------- large pools


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


if __name__ == "__main__":
    main()
