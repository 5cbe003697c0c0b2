"""One target and the solves for it, ready to score blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from selection.transport.kernel import PASS_OPERATIONS, GibbsKernel, block_rows
from selection.transport.options import check_target
from selection.transport.points import UnitRows
from selection.transport.precision import Precision
from selection.transport.solution import Potentials

if TYPE_CHECKING:
    import torch


class _Solve(NamedTuple):
    """One solve for a target, ready to score: see `GibbsKernel.scaling`."""

    place: int
    scaling_M: torch.Tensor
    offset: float
    eps: float
    kernel: GibbsKernel


class SolvedTarget:
    """One target, the solves for it, and the scratch block of its kernel."""

    def __init__(self, rows: UnitRows, precision: Precision) -> None:
        self.rows = rows
        self._target_MD = rows[: len(rows)]
        m = len(rows)
        self.block_rows = block_rows(m, self._target_MD.device)
        self._precision: Precision = precision
        self._solves: list[_Solve] = []
        self._scratch_BM = self._target_MD.new_empty((self.block_rows, m))
        self._shift_B = self._target_MD.new_empty(self.block_rows)
        self._kernels: dict[tuple[float, bytes], GibbsKernel] = {}

    def add(self, place: int, potentials: Potentials) -> None:
        """Take in a solve, which shares a kernel when it can be rescaled to it."""
        import torch

        check_target(len(self.rows), potentials.g)
        device = self._target_MD.device
        g_M = torch.tensor(potentials.g, device=device)
        # The weights are part of the kernel, so only solves that agree on them share one.
        key = potentials.eps, potentials.b.tobytes()
        if key not in self._kernels or self._kernels[key].needs_absorbing(g_M, potentials.eps):
            log_b_M = torch.tensor(np.log(potentials.b), device=device)
            self._kernels[key] = GibbsKernel(self._target_MD, log_b_M, self._precision)
            self._kernels[key].absorb(g_M, potentials.eps)
        kernel = self._kernels[key]
        # Once here: asking a GPU for the offset in each block would make it wait each time.
        scaling_M, offset = kernel.scaling(g_M, potentials.eps)
        self._solves.append(_Solve(place, scaling_M, offset, potentials.eps, kernel))

    @property
    def operations(self) -> float:
        """Operations of one row: each kernel is evaluated once, each solve passes over it."""
        kernels = {id(solve.kernel): solve.kernel for solve in self._solves}
        evaluated = sum(kernel.operations for kernel in kernels.values())
        return len(self.rows) * (evaluated + PASS_OPERATIONS * len(self._solves))

    def block(
        self, rows_BD: torch.Tensor, weights_B: torch.Tensor
    ) -> Iterator[tuple[int, torch.Tensor, torch.Tensor]]:
        """Yield (place, potentials f of the block, mass the target receives) of each solve."""
        import torch

        evaluated: GibbsKernel | None = None
        for solve in self._solves:
            if solve.kernel is not evaluated:
                solve.kernel.block(rows_BD, self._scratch_BM, self._shift_B)
                evaluated = solve.kernel
            sum_B = torch.mv(self._scratch_BM, solve.scaling_M.to(self._scratch_BM.dtype))
            received_M = torch.mv(self._scratch_BM.T, weights_B / sum_B)
            log_sum_B = solve.offset + self._shift_B + sum_B.double().log()
            yield solve.place, -solve.eps * log_sum_B, received_M * solve.scaling_M
