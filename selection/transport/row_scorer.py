"""Potentials of any rows given solved target potentials, and what the target receives from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from selection.transport.kernel import PASS_OPERATIONS, GibbsKernel, block_rows
from selection.transport.options import check_target
from selection.transport.points import UnitRows
from selection.transport.precision import Precision, check_precision, work_dtype
from selection.transport.solution import Potentials, Side

if TYPE_CHECKING:
    import torch


class RowScorer:
    """Scores blocks of rows for one or more solves.

    Every product has the same shape, the last one padded, so that a row's potential is the same to
    the bit whatever rows it arrives with (matrix libraries choose their order of summation by the
    shape).

    Parameters
    ----------
    sides : sequence of Side
        Those that share a target object share its products while eps is equal too.
    device : str or torch.device
    precision : Precision

    Raises
    ------
    ValueError
        Potentials that do not belong to their target, unusable rows of a target, or a precision
        that the device lacks.
    """

    def __init__(
        self, sides: Sequence[Side], *, device: str | torch.device, precision: Precision
    ) -> None:
        import torch

        self._device = torch.device(device)
        self._precision: Precision = check_precision(precision, self._device)
        self._dtype = work_dtype(self._precision)
        self._targets: dict[int, _SolvedTarget] = {}
        for place, side in enumerate(sides):
            key = id(side.target)
            if key not in self._targets:
                rows = UnitRows(side.target, "target", device=self._device, dtype=self._dtype)
                self._targets[key] = _SolvedTarget(rows, self._precision)
            self._targets[key].add(place, side.potentials)
        self._n_sides = len(sides)
        self._width = next(iter(self._targets.values())).rows.width

    @property
    def operations(self) -> float:
        """Operations that scoring one row takes, an exponential counted as one."""
        return sum(target.operations for target in self._targets.values())

    def score(
        self, rows: ArrayLike | torch.Tensor, weight_N: np.ndarray
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Score n rows, n may be 0.

        Returns
        -------
        potential_SN : np.ndarray of shape (sides, n), float64
        masses : list of np.ndarray of shape (M,), float64, one a side
            What each row of that side's target receives from these rows.
        """
        import torch

        unit = UnitRows(
            rows,
            "rows",
            device=self._device,
            dtype=self._dtype,
            width=self._width,
            may_be_empty=True,
        )
        n = len(unit)
        potential_SN = torch.empty((self._n_sides, n), dtype=torch.float64, device=self._device)
        weights_N = torch.tensor(weight_N, device=self._device, dtype=self._dtype)
        for target in self._targets.values():
            target.clear()
        size = min(target.block_rows for target in self._targets.values())
        for start in range(0, n, size):
            block = slice(start, min(n, start + size))
            rows_BD = _padded(unit[block], size)
            weights_B = _padded(weights_N[block], size)
            for target in self._targets.values():
                for place, potential_B in target.block(rows_BD, weights_B):
                    potential_SN[place, block] = potential_B[: block.stop - start]
        masses: dict[int, np.ndarray] = {}
        for target in self._targets.values():
            masses |= target.masses()
        return potential_SN.cpu().numpy(), [masses[place] for place in range(self._n_sides)]


class _Solve(NamedTuple):
    """One solve for a target, ready to score: see `GibbsKernel.scaling`."""

    place: int
    scaling_M: torch.Tensor
    offset: float
    eps: float
    kernel: GibbsKernel


class _SolvedTarget:
    """One target, the solves for it, and the scratch block of its kernel."""

    def __init__(self, rows: UnitRows, precision: Precision) -> None:

        self.rows = rows
        self._target_MD = rows[: len(rows)]
        m = len(rows)
        self.block_rows = block_rows(m, self._target_MD.device)
        self._precision: Precision = precision
        self._solves: list[_Solve] = []
        self._mass: dict[int, torch.Tensor] = {}
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

    def clear(self) -> None:
        """Forget the masses of the rows before."""
        self._mass = {solve.place: solve.scaling_M * 0.0 for solve in self._solves}

    def block(
        self, rows_BD: torch.Tensor, weights_B: torch.Tensor
    ) -> list[tuple[int, torch.Tensor]]:
        """Give (place, potentials f of the block) of each solve, and add up the masses."""
        import torch

        evaluated: GibbsKernel | None = None
        potentials = []
        for solve in self._solves:
            if solve.kernel is not evaluated:
                solve.kernel.block(rows_BD, self._scratch_BM, self._shift_B)
                evaluated = solve.kernel
            sum_B = torch.mv(self._scratch_BM, solve.scaling_M.to(self._scratch_BM.dtype))
            received_M = torch.mv(self._scratch_BM.T, weights_B / sum_B)
            self._mass[solve.place] += received_M * solve.scaling_M
            log_sum_B = solve.offset + self._shift_B + sum_B.double().log()
            potentials.append((solve.place, -solve.eps * log_sum_B))
        return potentials

    def masses(self) -> dict[int, np.ndarray]:
        """Give what the target received in each solve, by place."""
        return {place: mass_M.cpu().numpy() for place, mass_M in self._mass.items()}


def _padded(values: torch.Tensor, size: int) -> torch.Tensor:
    """Give values with rows of zeros at the end, size rows in all."""
    if len(values) == size:
        return values
    padded = values.new_zeros((size, *values.shape[1:]))
    padded[: len(values)] = values
    return padded
