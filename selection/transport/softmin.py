"""The two formulas everything here rests on, and how to walk over an N x M cost in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

BLOCK_ENTRIES = 2**21


def squared_distances(rows_BD: torch.Tensor, target_MD: torch.Tensor) -> torch.Tensor:
    """Squared Euclidean distances of shape (B, M) between unit rows; never negative."""
    return (2.0 - 2.0 * (rows_BD @ target_MD.T)).clamp_(min=0.0)


def soft_assign(
    cost_BM: torch.Tensor, potential_M: torch.Tensor, log_weight_M: torch.Tensor, eps: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Row potentials given the target's, and how each row spreads its mass over the target.

    ``f_i = -eps log sum_j b_j exp((g_j - c_ij) / eps)`` makes the i-th row of the plan
    ``P_ij = a_i b_j exp((f_i + g_j - c_ij) / eps)`` sum to a_i exactly (Peyré and Cuturi 2019,
    arXiv 1803.00567, section 4.4, here relative to the product of the marginals).

    Returns
    -------
    potential_B : tensor of shape (B,)
        f.
    log_share_BM : tensor of shape (B, M)
        log(P_ij / a_i); rows are log-probabilities.
    """
    logits_BM = (potential_M - cost_BM).div_(eps).add_(log_weight_M)
    log_sum_B = logits_BM.logsumexp(dim=1)
    return -eps * log_sum_B, logits_BM.sub_(log_sum_B[:, None])


def add_log_mass(
    log_mass_M: torch.Tensor, log_share_BM: torch.Tensor, log_weight_B: torch.Tensor
) -> torch.Tensor:
    """Add the mass that B rows of the plan send to each target row, in logarithms."""
    return log_mass_M.logaddexp((log_share_BM + log_weight_B[:, None]).logsumexp(dim=0))


@dataclass(frozen=True)
class CostBlocks:
    """The cost between rows and target, block by block: held whole when it fits, else recomputed.

    Attributes
    ----------
    rows_ND, target_MD : tensors of unit rows
    block_rows : int
        Rows of a block.
    cached_NM : tensor or None
    """

    rows_ND: torch.Tensor
    target_MD: torch.Tensor
    block_rows: int
    cached_NM: torch.Tensor | None

    @classmethod
    def within(
        cls, rows_ND: torch.Tensor, target_MD: torch.Tensor, memory_limit: int
    ) -> CostBlocks:
        """Hold the cost when N x M x itemsize bytes are allowed; blocks stay under the limit too.

        The limit bounds the cost and a block's three temporaries, not the rows themselves.
        """
        import torch

        row_bytes = len(target_MD) * rows_ND.element_size()
        block_rows = max(1, min(BLOCK_ENTRIES // len(target_MD), memory_limit // (3 * row_bytes)))
        streamed = cls(rows_ND, target_MD, block_rows, None)
        if len(rows_ND) * row_bytes > memory_limit:
            return streamed
        cached_NM = torch.empty(
            (len(rows_ND), len(target_MD)), dtype=rows_ND.dtype, device=rows_ND.device
        )
        for block, cost_BM in streamed:
            cached_NM[block] = cost_BM
        return cls(rows_ND, target_MD, block_rows, cached_NM)

    def __iter__(self) -> Iterator[tuple[slice, torch.Tensor]]:
        """Yield (rows of the block, cost of shape (B, M)); the cost must not be changed."""
        for start in range(0, len(self.rows_ND), self.block_rows):
            block = slice(start, start + self.block_rows)
            if self.cached_NM is None:
                yield block, squared_distances(self.rows_ND[block], self.target_MD)
            else:
                yield block, self.cached_NM[block]
