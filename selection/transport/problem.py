"""One solve: where it starts, in which precision it runs, and what is left over at its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from selection.transport.kernel import GibbsKernel, block_rows
from selection.transport.marginals import Marginals
from selection.transport.options import choose_path
from selection.transport.points import LARGEST_COST, SMALLEST_COST, UnitRows
from selection.transport.precision import Precision
from selection.transport.sinkhorn import anneal, iterate, log_ratio
from selection.transport.solution import Path, Potentials

if TYPE_CHECKING:
    import numpy as np
    import torch

# At this eps the kernel of the largest cost is exp(-64), still far inside float32.
_GENTLE_EPS = LARGEST_COST / 64
# Rows that annealing and the coarse start run on, when there are many more.
_COARSE_ROWS = 4096
# What a sample of that size can tell of the whole: going on would fit its noise.
_COARSE_TOL = 2e-2
_COARSE_PASSES = 100
# Rows that the error of a precision is measured on: at least so many, or this share of them.
_ROWS_FOR_PRECISION, _SHARE_FOR_PRECISION = 1024, 1 / 32


@dataclass
class Problem:
    """Rows, target and weights on a device, and the bill of the passes over them."""

    rows: UnitRows
    target_MD: torch.Tensor
    a_N: torch.Tensor
    b_M: torch.Tensor
    path: Path
    memory_limit: int
    report: Callable[[int, float], None] | None
    history: list[float] = field(default_factory=list)
    flops: float = 0.0
    peak_bytes: int = 0

    @property
    def passes(self) -> int:
        """Passes so far, over all rows or the coarse ones."""
        return len(self.history)

    def mean_cost(self) -> float:
        """Mean of 2 - 2 <x, y> under a x b: exact from the two weighted means, no sample needed."""
        n, step = len(self.rows), block_rows(self.rows.width, self.b_M.device)
        mean_D = sum(
            (
                self.a_N[block] @ self.rows[block]
                for block in (slice(start, min(n, start + step)) for start in range(0, n, step))
            ),
            start=self.target_MD.new_zeros(self.rows.width),
        )
        mean_cost = 2.0 - 2.0 * float(mean_D.double() @ (self.b_M @ self.target_MD.double()))
        if mean_cost < SMALLEST_COST:
            raise ValueError(
                f"the mean cost is zero within rounding ({mean_cost:.1e}): every candidate equals "
                "every target row, so nothing can be ranked; give other rows, or eps"
            )
        return mean_cost

    def solve(
        self,
        precision: Precision,
        start: np.ndarray | None,
        eps: float,
        *,
        tol: float,
        max_iterations: int,
        accelerate: bool,
    ) -> Potentials:
        """Start at these g (or coarsely), iterate, and count the precision's error as residual."""
        import torch

        measured = precision in ("tf32", "bfloat16")
        if self.rows_on_cuda:
            torch.cuda.reset_peak_memory_stats()
        if start is None:
            g_M = self._coarse_start(precision, eps, max_iterations)
        else:
            g_M = torch.tensor(start, device=self.b_M.device)
        marginals = self._marginals(self.rows, self.a_N, precision, self.path)
        iterated = iterate(
            marginals.at,
            g_M,
            self.b_M,
            eps,
            # Half the tolerance is left to the error that is measured at the end.
            tol=tol / 2 if measured else tol,
            max_iterations=max(1, max_iterations - self.passes),
            report=self._note,
            accelerate=accelerate,
        )
        self._bill(marginals)
        g_M, f_N, error = iterated.g_M, marginals.row_potentials(), 0.0
        if measured:
            moved_M, error = self._correct(precision, g_M, eps)
            # A constant that leaves g goes to f: together they make the same plan.
            constant = self.b_M @ (g_M + moved_M)
            g_M, f_N = g_M + moved_M - constant, f_N + constant
        residual, potential_N = iterated.residual + error, f_N.cpu().numpy()
        return Potentials(
            f=potential_N,
            n=len(self.rows),
            mean_f=float(potential_N.mean()),
            g=g_M.cpu().numpy(),
            b=self.b_M.cpu().numpy(),
            eps=eps,
            residual=residual,
            converged=residual <= tol,
            history=tuple(self.history),
            mass=iterated.mass_M.cpu().numpy(),
            path=self.path,
            precision=precision,
            precision_error=error,
            peak_bytes=self.peak_bytes,
            flops=self.flops,
        )

    @property
    def rows_on_cuda(self) -> bool:
        """Whether the arithmetic runs on a GPU."""
        return self.target_MD.is_cuda

    def _coarse_start(self, precision: Precision, eps: float, max_iterations: int) -> torch.Tensor:
        """Anneal to eps on a sample, and where passes are dear, iterate there too."""
        g_M = self.b_M.new_zeros(len(self.b_M))
        dear = self.path == "streamed"
        if not dear and eps >= _GENTLE_EPS:
            return g_M
        stride = max(1, len(self.rows) // _COARSE_ROWS)
        a_S = self.a_N[::stride]
        marginals = self._marginals(self.rows.every(stride), a_S / a_S.sum(), precision, "auto")
        g_M = anneal(marginals.at, g_M, self.b_M, max(eps, _GENTLE_EPS), eps, self._note)
        if dear and stride > 1:
            allowed = min(_COARSE_PASSES, max_iterations - self.passes - 1)
            if allowed > 0:
                g_M = iterate(
                    marginals.at,
                    g_M,
                    self.b_M,
                    eps,
                    tol=_COARSE_TOL,
                    max_iterations=allowed,
                    report=self._note,
                ).g_M
        self._bill(marginals)
        return g_M

    def _correct(
        self, precision: Precision, g_M: torch.Tensor, eps: float
    ) -> tuple[torch.Tensor, float]:
        """Undo what rounding does to each target row's mass; say how much of it is left.

        Rounding of a row of the pool averages out of the marginal. Rounding of a target row does
        not, being common to all of them: it scales that row's mass, which a change of its potential
        undoes. The scale is measured against float32 on a sample, and the change judged on another.

        Returns
        -------
        moved_M : tensor of shape (M,)
            What to add to g.
        error : float
            L1 error left in the marginal, the second sample's noise included.
        """
        n = len(self.rows)
        stride = max(1, n // int(2 * max(_ROWS_FOR_PRECISION, _SHARE_FOR_PRECISION * n)))
        rounded_M, exact_M = self._on_sample(0, stride, precision, g_M, g_M, eps)
        moved_M = eps * log_ratio(rounded_M, exact_M)
        rounded_M, exact_M = self._on_sample(stride, stride, precision, g_M, g_M + moved_M, eps)
        return moved_M, float((rounded_M - exact_M).abs().sum())

    def _on_sample(
        self,
        first: int,
        stride: int,
        precision: Precision,
        rounded_g_M: torch.Tensor,
        exact_g_M: torch.Tensor,
        eps: float,
    ) -> Iterator[torch.Tensor]:
        """Give the masses of every second stride-th row, in this precision and in float32."""
        rows, a_S = self.rows.every(2 * stride, first), self.a_N[first :: 2 * stride]
        judged: list[tuple[Precision, torch.Tensor]]
        judged = [(precision, rounded_g_M), ("float32", exact_g_M)]
        for one, g_M in judged:
            sample = self._marginals(rows, a_S / a_S.sum(), one, "auto")
            yield sample.at(g_M, eps)
            self._bill(sample)

    def _marginals(
        self,
        rows: UnitRows,
        a_N: torch.Tensor,
        precision: Precision,
        path: Path | Literal["auto"],
    ) -> Marginals:
        n, m = len(rows), len(self.b_M)
        path = choose_path(path, n, m, a_N.element_size(), self.memory_limit)
        kernel = GibbsKernel(self.target_MD, self.b_M.log(), precision)
        return Marginals(rows, a_N, kernel, m, cached=path == "cached")

    def _note(self, residual: float) -> None:
        self.history.append(residual)
        if self.report is not None:
            self.report(self.passes, residual)

    def _bill(self, marginals: Marginals) -> None:
        import torch

        self.flops += marginals.flops
        if self.rows_on_cuda:
            peak = torch.cuda.max_memory_allocated()
        else:
            # The target and its scaled copy, and a block of rows as read and as unit rows.
            width, itemsize = self.rows.width, self.target_MD.element_size()
            block = min(len(self.rows), block_rows(len(self.b_M), self.b_M.device))
            peak = marginals.held_bytes + 2 * (len(self.b_M) + block) * width * itemsize
        self.peak_bytes = max(self.peak_bytes, peak)


def planned_annealing(n_rows: int, eps: float) -> int:
    """Rows over which a cached solve evaluates the kernel on its way to eps, before a run."""
    steps = max(0, math.ceil(math.log2(_GENTLE_EPS / eps)))
    stride = max(1, n_rows // _COARSE_ROWS)
    return steps * math.ceil(n_rows / stride)
