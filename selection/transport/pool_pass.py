"""One pass over a pool: potentials of every row for one or more solves, and how well they fit.

Rows arrive in blocks, potentials leave in blocks, and what the target's rows receive from all of
them adds up on the way: at the end the marginal residual over the whole pool is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from selection.transport.precision import Precision
from selection.transport.row_scorer import RowScorer
from selection.transport.solution import Side

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


class PoolPass:
    """A single pass for several solves; see `over`.

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
        self._sides, self._device = sides, device
        self._precision: Precision = precision
        self._scorer: RowScorer | None = None
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
        blocks : iterable of arrays or tensors of shape (B, D)
        weigh : callable or None
            Gives the weights of a block's rows in the fit, shape (B,); None is uniform.
        """
        for rows in blocks:
            weight_B = np.ones(_size(rows)) if weigh is None else weigh(rows)
            potential_SB, masses = self._score(rows, weight_B)
            self._weight += float(weight_B.sum())
            self._n += len(weight_B)
            for total_M, mass_M in zip(self._mass, masses, strict=True):
                total_M += mass_M
            yield potential_SB

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

    def _score(
        self, rows: ArrayLike | torch.Tensor, weight_B: np.ndarray
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        if self._scorer is None:
            device = self._device or getattr(rows, "device", "cpu")
            self._scorer = RowScorer(self._sides, device=device, precision=self._precision)
        self.flops += len(weight_B) * self._scorer.operations
        return self._scorer.score(rows, weight_B)


def _size(rows: ArrayLike | torch.Tensor) -> int:
    return np.shape(rows)[0]  # pyright: ignore[reportArgumentType]
