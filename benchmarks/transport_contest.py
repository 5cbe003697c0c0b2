"""How do all solvers compare on the real problem, each brought to the same residual?"""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from transport_judge import Judge
from transport_lane import Lane, load_problem
from transport_problem import OWN_RULE
from transport_solvers import HEADLINE, SOLVERS, YARDSTICK, Solver

from selection.reports.tables import text_table
from selection.transport.stability import top_overlap

EPS_REL = 0.05
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
