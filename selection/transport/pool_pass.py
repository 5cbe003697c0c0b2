"""One pass over a pool: potentials of every row for one or more solves, and how well they fit.

Rows arrive in blocks, potentials leave in blocks, and what the target's rows receive from all of
them adds up on the way: at the end the marginal residual over the whole pool is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from selection.transport.points import UnitRows
from selection.transport.precision import Precision, check_precision, work_dtype
from selection.transport.solution import Side
from selection.transport.solved_target import SolvedTarget

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class PoolFit:
    """How well a solve on a sample serves a whole pool of n rows.

    ``residual`` is the L1 error of the target's marginal when all n rows, by their weights and
    with out-of-sample potentials, send their mass.
    """

    residual: float
    n: int


@dataclass(frozen=True)
class Received:
    """What the target's rows receive from some rows of a pool, before it is set against b.

    Attributes
    ----------
    mass : of each side, float64 of shape (M,).
    weight : of the rows together.
    n : how many rows.
    flops : spent on them.
    """

    mass: tuple[np.ndarray, ...]
    weight: float
    n: int
    flops: float


class PoolPass:
    """A single pass for several solves; see `over`.

    Every product has the same shape, the last one padded, so that a row's potential is the same to
    the bit whatever rows it arrives with (matrix libraries choose their order of summation by the
    shape).

    Parameters
    ----------
    sides : sequence of Side
        Solves that share a target object and eps share the products with it.
    device : str, torch.device or None
        None is the device of the first block when it is a tensor, else the CPU.
    precision : "float64", "float32", "tf32" or "bfloat16"

    Attributes
    ----------
    flops : float
        Operations on entries of the kernel, an exponential counted as one.
    """

    def __init__(
        self,
        sides: Sequence[Side],
        *,
        device: str | torch.device | None = None,
        precision: Precision = "float32",
    ) -> None:
        self._sides = sides
        self._device: Any = device  # from the first block on a torch.device
        self._precision: Precision = precision
        self._targets: list[SolvedTarget] = []
        self._mass = [np.zeros(len(side.potentials.g)) for side in sides]
        self._weight = 0.0
        self._n = 0
        self.flops = 0.0

    def over(
        self,
        blocks: Iterable[ArrayLike | torch.Tensor],
        *,
        weigh: Callable[[ArrayLike | torch.Tensor], np.ndarray] | None = None,
    ) -> Iterator[np.ndarray]:
        """Yield the potentials of each block, float64 of shape (sides, B).

        Parameters
        ----------
        blocks : iterable of arrays or tensors of shape (B, D); B may be 0
        weigh : callable or None
            Gives the weights of a block's rows in the fit, shape (B,); None is uniform.

        Raises
        ------
        ValueError
            Potentials that do not belong to their target, unusable rows, or a precision that the
            device lacks.
        """
        import torch

        for rows in blocks:
            if not self._targets:
                self._device = torch.device(self._device or getattr(rows, "device", "cpu"))
                self._targets = self._solved_targets()
            width = self._targets[0].rows.width
            unit = self._unit_rows(rows, "rows", width=width, may_be_empty=True)
            weight_B = np.ones(len(unit)) if weigh is None else weigh(rows)
            self.flops += len(unit) * sum(target.operations for target in self._targets)
            self._weight += float(weight_B.sum())
            self._n += len(unit)
            yield self._score(unit, weight_B)

    @property
    def received(self) -> Received:
        """What the rows passed so far have sent."""
        return Received(tuple(self._mass), self._weight, self._n, self.flops)

    def add(self, received: Received) -> None:
        """Add what rows have sent that passed elsewhere; in another order sums round otherwise."""
        for total_M, mass_M in zip(self._mass, received.mass, strict=True):
            total_M += mass_M
        self._weight += received.weight
        self._n += received.n
        self.flops += received.flops

    def fits(self) -> tuple[PoolFit, ...]:
        """Give the fit of each side to the rows passed so far.

        Raises
        ------
        ValueError
            No row has passed.
        """
        if self._n == 0:
            raise ValueError("the pool has no rows to measure; give at least one block with rows")
        return tuple(
            PoolFit(float(np.abs(mass_M / self._weight - side.potentials.b).sum()), self._n)
            for side, mass_M in zip(self._sides, self._mass, strict=True)
        )

    def _unit_rows(self, rows: ArrayLike | torch.Tensor, name: str, **options: Any) -> UnitRows:
        dtype = work_dtype(self._precision)
        return UnitRows(rows, name, device=self._device, dtype=dtype, **options)

    def _solved_targets(self) -> list[SolvedTarget]:
        check_precision(self._precision, self._device)
        targets: dict[int, SolvedTarget] = {}
        for place, side in enumerate(self._sides):
            key = id(side.target)
            if key not in targets:
                targets[key] = SolvedTarget(self._unit_rows(side.target, "target"), self._precision)
            targets[key].add(place, side.potentials)
        return list(targets.values())

    def _score(self, unit: UnitRows, weight_N: np.ndarray) -> np.ndarray:
        """Give the potentials of n rows, and add up what the targets receive from them."""
        import torch

        n, device = len(unit), self._device
        potential_SN = torch.empty((len(self._sides), n), dtype=torch.float64, device=device)
        weights_N = torch.tensor(weight_N, device=device, dtype=work_dtype(self._precision))
        masses = [torch.zeros(len(m), dtype=torch.float64, device=device) for m in self._mass]
        size = min(target.block_rows for target in self._targets)
        for start in range(0, n, size):
            block = slice(start, min(n, start + size))
            rows_BD, weights_B = _padded(unit[block], size), _padded(weights_N[block], size)
            for target in self._targets:
                for place, potential_B, received_M in target.block(rows_BD, weights_B):
                    potential_SN[place, block] = potential_B[: block.stop - start]
                    masses[place] += received_M
        for total_M, mass_M in zip(self._mass, masses, strict=True):
            total_M += mass_M.cpu().numpy()
        return potential_SN.cpu().numpy()


def _padded(values: torch.Tensor, size: int) -> torch.Tensor:
    """Give values with rows of zeros at the end, size rows in all."""
    if len(values) == size:
        return values
    padded = values.new_zeros((size, *values.shape[1:]))
    padded[: len(values)] = values
    return padded
