"""Blocks of a scoring pass that were finished before, found again by what went into them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from selection.basics.whole_files import write_whole
from selection.transport.points import as_numpy

if TYPE_CHECKING:
    import torch
    from xxhash import xxh3_128

    from selection.transport.pool_pass import Side
    from selection.transport.precision import Precision


class FinishedBlocks:
    """A folder with one file for each finished block.

    The key is a hash (xxh3, 128 bits) of the rows, their weights, every target, its potentials and
    the precision: a file of another solve, or of rows that changed, is never read.

    Parameters
    ----------
    folder : Path
        Made when it does not exist.
    sides : sequence of Side
    precision : Precision
    """

    def __init__(self, folder: Path, sides: Sequence[Side], precision: Precision) -> None:
        from xxhash import xxh3_128

        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._solves = xxh3_128(precision.encode())
        for side in sides:
            solve = side.potentials
            self._solves.update(repr(solve.eps).encode())
            for values in (side.target, solve.g, solve.b):
                _update(self._solves, values)

    def key(self, rows: ArrayLike | torch.Tensor, weight_B: np.ndarray) -> str:
        """Give the name of a block's file."""
        content = self._solves.copy()
        _update(content, rows)
        _update(content, weight_B)
        return content.hexdigest()

    def read(self, key: str) -> tuple[np.ndarray, list[np.ndarray]] | None:
        """Give (potentials of shape (sides, B), mass of each side), or None when not finished."""
        file = self._folder / f"{key}.npz"
        if not file.is_file():
            return None
        with np.load(file, allow_pickle=False) as stored:
            masses = [stored[f"mass_{i}"] for i in range(len(stored.files) - 1)]
            return stored["potential"], masses

    def write(self, key: str, potential_SB: np.ndarray, masses: list[np.ndarray]) -> None:
        """Keep a finished block; a reader sees it whole or not at all."""
        named = {"potential": potential_SB}
        named |= {f"mass_{i}": mass_M for i, mass_M in enumerate(masses)}
        write_whole(
            self._folder / f"{key}.npz",
            lambda content: np.savez(content, **named),  # pyright: ignore[reportArgumentType]
        )


def _update(content: xxh3_128, values: ArrayLike | torch.Tensor) -> None:
    array = np.ascontiguousarray(as_numpy(values))
    content.update(repr((array.dtype.str, array.shape)).encode())
    content.update(array.reshape(-1).view(np.uint8).data)
