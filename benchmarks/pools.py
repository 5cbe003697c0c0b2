"""How are the rows of a pool and of a target read from their files, block by block?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

BLOCK = 8192
POOL_FILE, TARGET_FILE = "pool.npy", "target.npy"


def read_target(folder: Path) -> np.ndarray:
    """Read the target's rows."""
    return np.load(folder / TARGET_FILE)


def mapped(folder: Path, n: int) -> np.ndarray:
    """Give the first n rows of the pool, from a memory map."""
    return np.load(folder / POOL_FILE, mmap_mode="r")[:n]


def blocks(folder: Path, n: int) -> Iterator[np.ndarray]:
    """Read the first n rows a block at a time; pages read before are let go."""
    for start in range(0, n, BLOCK):
        yield np.array(mapped(folder, n)[start : start + BLOCK])


def unit(rows_ND: np.ndarray) -> np.ndarray:
    """Scale rows to length one."""
    return rows_ND / np.linalg.norm(rows_ND, axis=1, keepdims=True)
