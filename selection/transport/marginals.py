"""The target's marginal of the plan that given potentials make: one pass over all rows.

One pass serves both marginals: a block's row sums give the rows' potentials, and the block,
divided by them, sums to what the target receives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from selection.transport.kernel import PASS_OPERATIONS, GibbsKernel, block_rows

if TYPE_CHECKING:
    import torch

    from selection.transport.points import UnitRows


class Marginals:
    """Marginals of the plan for changing target potentials.

    Parameters
    ----------
    rows : UnitRows of N rows
    a_N : tensor, work dtype, weights of the rows
    kernel : GibbsKernel
    m : int
        Rows of the target.
    cached : bool
        Hold the whole kernel (N x M) and rescale it as the potentials move; it is evaluated again
        only when they leave the range of the dtype, or eps changes. Else every pass evaluates
        the kernel anew, block by block (streaming).
    """

    def __init__(
        self, rows: UnitRows, a_N: torch.Tensor, kernel: GibbsKernel, m: int, *, cached: bool
    ) -> None:
        import torch

        self._rows, self._a_N, self._kernel, self._cached = rows, a_N, kernel, cached
        self._block_rows = min(len(rows), block_rows(m, a_N.device))
        held_rows = len(rows) if cached else self._block_rows
        self._held = torch.empty((held_rows, m), dtype=a_N.dtype, device=a_N.device)
        self._shift_N = torch.empty_like(a_N)
        self._sum_N = torch.empty_like(a_N)
        self.flops = 0.0

    @property
    def held_bytes(self) -> int:
        """Bytes of the kernel, or of one block of it, and of the vectors over the rows."""
        tensors = (self._held, self._shift_N, self._sum_N, self._a_N)
        return sum(held.numel() * held.element_size() for held in tensors)

    def at(self, g_M: torch.Tensor, eps: float) -> torch.Tensor:
        """Give the mass that each target row receives at potentials g; float64, shape (M,)."""
        import torch

        evaluate = not self._cached or self._kernel.needs_absorbing(g_M, eps)
        if evaluate:
            self._kernel.absorb(g_M, eps)
        scaling_M, self._offset = self._kernel.scaling(g_M, eps)
        self._eps = eps
        work_scaling_M = scaling_M.to(self._held.dtype)
        n, m = len(self._rows), len(g_M)
        mass_M = g_M.new_zeros(m)
        for start in range(0, n, self._block_rows):
            block = slice(start, min(n, start + self._block_rows))
            kernel_BM = self._held[block] if self._cached else self._held[: block.stop - start]
            if evaluate:
                self._kernel.block(self._rows[block], kernel_BM, self._shift_N[block])
            sum_B = self._sum_N[block]
            torch.mv(kernel_BM, work_scaling_M, out=sum_B)
            mass_M += torch.mv(kernel_BM.T, self._a_N[block] / sum_B)
        self.flops += n * m * (PASS_OPERATIONS + (self._kernel.operations if evaluate else 0.0))
        return mass_M * scaling_M

    def row_potentials(self) -> torch.Tensor:
        """Potentials f of the rows at the g of the last pass; float64, shape (N,)."""
        log_sum_N = self._shift_N.double() + self._sum_N.double().log()
        return -self._eps * (self._offset + log_sum_N)
