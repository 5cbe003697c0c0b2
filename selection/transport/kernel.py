"""The Gibbs kernel of one target, block by block, scaled so that no entry overflows.

``K_ij = b_j exp((g_j - c_ij) / eps)``; the potential of row i is ``f_i = -eps log sum_j K_ij``, and
``K_ij / sum_j K_ij`` is how the row spreads its mass over the target (Peyré and Cuturi 2019, arXiv
1803.00567, sections 4.2 and 4.4, here relative to the product of the marginals).

Shapes: B rows of a block, M target rows, D width. ``c_ij = 2 - 2 <x_i, y_j>`` on unit rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from selection.transport.precision import Precision, products_in, work_dtype

if TYPE_CHECKING:
    import torch

# Per entry of a block, beside the product: an exponential; absorbed, also bias, maximum, subtract.
_PLAIN_OPERATIONS, _ABSORBED_OPERATIONS = 1.0, 4.0
# Per entry of a pass over a block: multiply and add for the row sums, again for the column sums.
PASS_OPERATIONS = 4.0
# Float32 holds exp(+-87). Entries within exp(+-30) and scalings down to exp(-50) leave no product
# of the two outside it.
_PLAIN_EXPONENT = 30.0
_SCALING_EXPONENT = 50.0
# Large enough for the product to run at full speed, small enough to stay in a cache (CPU). No block
# worth launching stays in a GPU's cache, so there it is as large as keeps launches cheap: 512 MiB.
_BLOCK_ENTRIES = {"cpu": 2**22, "cuda": 2**27}
_BLOCK_ROWS = {"cpu": 2**12, "cuda": 2**16}
_TILE_ROWS = 64


class GibbsKernel:
    """Evaluates blocks of the kernel, and says how to rescale them when the potentials move.

    A block holds ``E_ij = exp(2 <x_i, y_j> / eps + absorbed_j - shift_i)``, and
    ``K_ij = E_ij scaling_j exp(shift_i + offset)``. While eps is not small, nothing needs to be
    absorbed; else the potentials and the largest entry of each row are (stabilised scaling).

    Parameters
    ----------
    target_MD : tensor of unit rows, in the work dtype of the precision
    log_b_M : tensor, float64
    precision : of the product
    """

    def __init__(
        self, target_MD: torch.Tensor, log_b_M: torch.Tensor, precision: Precision
    ) -> None:
        self._target_MD = target_MD
        self._log_b_M = log_b_M
        self._precision: Precision = precision
        self._eps: float | None = None

    def needs_absorbing(self, g_M: torch.Tensor, eps: float) -> bool:
        """Whether blocks evaluated so far cannot be rescaled to these potentials and eps."""
        if eps != self._eps:
            return True
        return _spread(self._bias(g_M, eps) - self._absorbed_M) > _SCALING_EXPONENT

    def absorb(self, g_M: torch.Tensor, eps: float) -> None:
        """Prepare the evaluation of blocks at potentials g (float64, shape (M,)) and eps."""
        bias_M = self._bias(g_M, eps)
        self._plain = 2.0 / eps <= _PLAIN_EXPONENT and _spread(bias_M) <= _SCALING_EXPONENT
        self._absorbed_M = bias_M * 0.0 if self._plain else bias_M
        self._eps = eps
        scaled_MD = self._target_MD * (2.0 / eps)
        # On a CPU the operands stay float32, and oneDNN rounds them on the way in.
        narrow = self._precision == "bfloat16" and scaled_MD.is_cuda
        self._scaled_DM = (scaled_MD.bfloat16() if narrow else scaled_MD).T
        self._bias_M = self._absorbed_M.to(work_dtype(self._precision))

    def block(self, rows_BD: torch.Tensor, out_BM: torch.Tensor, shift_B: torch.Tensor) -> None:
        """Write E of a block of unit rows into ``out_BM`` and its shifts into ``shift_B``."""
        import torch

        self._product(rows_BD, out_BM)
        if self._plain:
            shift_B.zero_()
        else:
            out_BM.add_(self._bias_M)
            torch.amax(out_BM, dim=1, out=shift_B)
            out_BM.sub_(shift_B[:, None])
        out_BM.exp_()

    def scaling(self, g_M: torch.Tensor, eps: float) -> tuple[torch.Tensor, float]:
        """Give (scaling, offset) at potentials g: float64 of shape (M,), at most 1, and a float."""
        moved_M = self._bias(g_M, eps) - self._absorbed_M
        largest = moved_M.max()
        return (moved_M - largest).exp(), float(largest) - 2.0 / eps

    @property
    def operations(self) -> float:
        """Operations on an entry of a block when it is evaluated, the product included."""
        other = _PLAIN_OPERATIONS if self._plain else _ABSORBED_OPERATIONS
        return 2.0 * len(self._scaled_DM) + other

    def _bias(self, g_M: torch.Tensor, eps: float) -> torch.Tensor:
        return g_M / eps + self._log_b_M

    def _product(self, rows_BD: torch.Tensor, out_BM: torch.Tensor) -> None:
        import torch

        if self._scaled_DM.dtype == torch.bfloat16:
            narrow_BD = rows_BD.to(torch.bfloat16)
            torch.mm(narrow_BD, self._scaled_DM, out_dtype=torch.float32, out=out_BM)
            return
        # Only here: in lower precision the sums over the kernel would be worthless.
        with products_in(self._precision):
            torch.mm(rows_BD, self._scaled_DM, out=out_BM)


def block_rows(m: int, device: torch.device) -> int:
    """Rows of a block against m target rows."""
    rows = min(_BLOCK_ROWS[device.type], _BLOCK_ENTRIES[device.type] // m)
    # Matrix units work on tiles: a ragged last one can cost as much as a whole block.
    return max(1, rows - rows % _TILE_ROWS if rows > _TILE_ROWS else rows)


def planned_operations(width: int, passes: int) -> float:
    """Operations on an entry that is evaluated once and passed over some times, before a run."""
    return 2.0 * width + _PLAIN_OPERATIONS + passes * PASS_OPERATIONS


def _spread(values_M: torch.Tensor) -> float:
    return float(values_M.max() - values_M.min())
