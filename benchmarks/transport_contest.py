"""How do all solvers compare on the real problem, each brought to the same residual?"""

from __future__ import annotations

import math
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness import Measured, own_process
from transport_judge import Judge
from transport_problem import EPS_REL, load_problem
from transport_solvers import HEADLINE, SOLVERS, YARDSTICK, Solver, prepare, run

from selection.reports.tables import text_table
from selection.transport.stability import top_overlap

TOP_SHARE = 0.01
COARSE, FINE = 1e-3, 1e-5
# A peer's float32 may miss what exact arithmetic reaches in so many iterations by a few.
MORE_ITERATIONS = 3
# A solver is called in turn with the others, at most so often, while its calls take no more
# seconds than this in all.
ROUNDS, TURN_SECONDS = 6, 4.0
PROBE = 40
MiB = 2**20


@dataclass(frozen=True)
class Sizes:
    """Rows of each part, and how long a peer may take."""

    rows: int
    target: int
    growth: tuple[int, ...]
    scored: int
    peer_seconds: float
    growth_seconds: float


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


class Contest:
    """The solvers on a folder's pool, each in its process, and the judge of what they give."""

    def __init__(self, folder: Path, sizes: Sizes, processes: ExitStack) -> None:
        self._folder, self._sizes = folder, sizes
        problem = load_problem(folder, sizes.rows, eps=1.0)
        mean_cost = 2.0 - 2.0 * float(problem.x_ND.mean(axis=0) @ problem.y_MD.mean(axis=0))
        self.eps = EPS_REL * mean_cost
        print(f"eps = {EPS_REL} x mean cost = {self.eps:.4f}; uniform weights; cost |x - y|^2")
        self._judge = Judge(replace(problem, eps=self.eps))
        self._reference_N = self._judge.reference()
        self._processes = {
            label: processes.enter_context(own_process())
            for label, solver in SOLVERS.items()
            if not solver.missing
        }
        for ready in [self.prepare(label, folder, sizes.rows) for label in self._processes]:
            ready.result()

    def tables(self) -> dict[float, Table]:
        """Bring every solver to both tolerances, and print what each took."""
        tables: dict[float, Table] = {}
        coarse: Table = {}
        for tol in (COARSE, FINE):
            table = {
                label: self._line(solver, tol, coarse.get(label))
                for label, solver in SOLVERS.items()
            }
            self._take_turns(table, tol)
            _print_table(table, tol)
            tables[tol] = coarse = table
        return tables

    def _line(self, solver: Solver, tol: float, coarse: Line | None) -> Line:
        """Run a solver once, or as often as it takes until it is within tol by our measure."""
        if solver.missing:
            return Line(why_not=solver.missing)
        # What ours is given does not matter.
        own_rule = solver.schedule == "own rule"
        iterations = 1 if own_rule else self._judge.iterations_to(tol, solver.schedule)
        expected = self._expected_seconds(solver, iterations, tol, coarse)
        if expected > self._sizes.peer_seconds:
            return Line(
                expected_seconds=expected,
                iterations=iterations,
                why_not=f"left out: would take about {expected:.0f} s",
            )
        line = self._judged(solver, tol, iterations)
        # Only the first call of a process shows what it takes; more iterations take no more.
        peak_bytes = max(line.peak_bytes, coarse.peak_bytes if coarse else 0)
        allowed = 0 if own_rule else MORE_ITERATIONS
        while not line.counts and line.iterations < iterations + allowed:
            line = self._judged(solver, tol, line.iterations + 1)
        return replace(line, peak_bytes=peak_bytes)

    def _judged(self, solver: Solver, tol: float, iterations: int) -> Line:
        measured = self.run(solver.label, tol, iterations)
        solved = measured.result
        residual = self._judge.residual(solved.g_M)
        return Line(
            seconds=measured.seconds,
            peak_bytes=measured.peak_bytes,
            iterations=solved.iterations,
            residual=residual,
            overlap=top_overlap(solved.f_N, self._reference_N, share=TOP_SHARE),
            precision=solved.precision,
            why_not="" if residual <= tol else "does not reach the residual",
        )

    def _expected_seconds(
        self, solver: Solver, iterations: int, tol: float, coarse: Line | None
    ) -> float:
        """Judge the time of a run from the coarser one, or from one on a few of the rows."""
        if coarse is not None and coarse.iterations:
            known = coarse.expected_seconds if coarse.seconds != coarse.seconds else coarse.seconds
            return known * iterations / coarse.iterations
        if not solver.recomputes:
            return 0.0
        rows = self._sizes.rows
        self.prepare(solver.label, self._folder, rows // PROBE).result()
        expected = PROBE * self.run(solver.label, tol, iterations).seconds
        self.prepare(solver.label, self._folder, rows).result()
        return expected

    def _take_turns(self, table: Table, tol: float) -> None:
        """Run the fast ones again, in turns, so that noise hits all alike; keep the best times."""
        for done in range(1, ROUNDS):
            for label, line in table.items():
                if line.counts and (done + 1) * line.seconds <= TURN_SECONDS:
                    again = self.run(label, tol, line.iterations)
                    table[label] = replace(line, seconds=min(line.seconds, again.seconds))

    def prepare(self, label: str, folder: Path, rows: int) -> Future[None]:
        """Prepare a solver, in its process, for the first rows of a pool."""
        return self._processes[label].submit(prepare, label, folder, rows, self.eps)

    def run(self, label: str, tol: float, iterations: int) -> Measured:
        """Time a call of a prepared solver, whose result is a `Solved`."""
        return self._processes[label].submit(run, tol, iterations).result()


def _print_table(table: Table, tol: float) -> None:
    columns = ["", "iterations", "seconds", "x ours", "peak MiB", "x ours", "residual", "top 1 %"]
    rows = [[label, *_measured(line, table[HEADLINE])] for label, line in table.items()]
    print(f"\nResidual {tol:g}\n{text_table([*columns, 'precision', 'remark'], rows)}")


def _measured(line: Line, ours: Line) -> list[Any]:
    """Cells of a line; gaps where nothing was measured."""
    if math.isnan(line.seconds):
        return [None] * 7 + ["", line.why_not]
    return [
        line.iterations,
        line.seconds,
        line.seconds / ours.seconds,
        round(line.peak_bytes / MiB),
        line.peak_bytes / ours.peak_bytes,
        line.residual,
        line.overlap,
        line.precision,
        line.why_not,
    ]


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


def peers_that_count(table: Table) -> Table:
    """Give the lines of others' solvers that reached the residual."""
    return {
        label: line
        for label, line in table.items()
        if line.counts and SOLVERS[label].schedule != "own rule"
    }


def _best_peer(table: Table) -> str:
    """Give the fastest peer that reached the residual."""
    peers = peers_that_count(table)
    if not peers:
        raise RuntimeError("no peer reached the residual: install the extra bench")
    return min(peers, key=lambda label: peers[label].seconds)


def written(table: Table) -> dict[str, dict[str, Any]]:
    """Give a table's lines as JSON has them: what was not measured is left out."""
    return {
        label: {name: value for name, value in asdict(line).items() if value and value == value}
        for label, line in table.items()
    }
