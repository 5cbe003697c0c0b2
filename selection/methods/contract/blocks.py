"""Compute something of every row block by block; blocks that a killed run had finished are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np

from selection.basics.whole_files import write_bytes_whole
from selection.methods.contract.preparation import PrepareInputs
from selection.methods.contract.values import Rows


@dataclass(frozen=True)
class Blocks:
    """What was computed of all rows.

    Attributes
    ----------
    arrays : name to the blocks' arrays, joined along the first axis.
    flops, resumed_flops : of all blocks, and of those that an earlier run had finished.
    """

    arrays: dict[str, np.ndarray]
    flops: float
    resumed_flops: float


def compute_in_blocks(
    inputs: PrepareInputs,
    compute: Callable[[Rows], dict[str, np.ndarray]],
    flops: Callable[[Rows], float],
    *,
    block_rows: int,
) -> Blocks:
    """Compute arrays of each block of rows, charging the meter before each.

    Parameters
    ----------
    compute : rows to named arrays, whose values for a row do not depend on the rest of its block.
    flops : what that will cost.

    Raises
    ------
    BudgetExhausted
        When the meter stops it; the blocks before are kept in `inputs.work`, each named by its
        rows, so that another attempt that has others to do takes none for its own.
    """
    from safetensors.numpy import save

    files: list[Path] = []
    total = resumed = 0.0
    for rows in inputs.pool():
        for start in range(0, max(1, len(rows.row_id)), block_rows):
            block = rows.take(slice(start, start + block_rows))
            file = inputs.work / f"block_{_digest(block)}.safetensors"
            cost = flops(block)
            total += cost
            if file.is_file():
                resumed += cost
            else:
                inputs.meter.charge(cost)
                arrays = {n: np.ascontiguousarray(a) for n, a in compute(block).items()}
                write_bytes_whole(file, save(arrays))
            files.append(file)
            inputs.advance(len(block.row_id))
    return Blocks(_joined(files), total, resumed)


def _digest(rows: Rows) -> str:
    return blake2b("\n".join(rows.row_id.tolist()).encode("utf-8"), digest_size=16).hexdigest()


def _joined(files: list[Path]) -> dict[str, np.ndarray]:
    """Join the blocks' arrays; only one block is held beside what they become."""
    from safetensors import safe_open
    from safetensors.numpy import load_file

    shapes: dict[str, list[list[int]]] = {}
    for file in files:
        with safe_open(file, "numpy") as stored:
            for name in stored.keys():  # noqa: SIM118  (it is no mapping)
                shapes.setdefault(name, []).append(stored.get_slice(name).get_shape())
    joined: dict[str, np.ndarray] = {}
    filled = dict.fromkeys(shapes, 0)
    for file in files:
        for name, array in load_file(file).items():
            if name not in joined:
                n = sum(shape[0] for shape in shapes[name])
                joined[name] = np.empty((n, *array.shape[1:]), array.dtype)
            joined[name][filled[name] : filled[name] + len(array)] = array
            filled[name] += len(array)
    return joined
