"""A random projection whose matrix is generated block by block and never held whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

BLOCK_WEIGHTS = 1024
"""Rows of the matrix that are generated at a time; part of what the projection is."""


def project(vectors: torch.Tensor, *, dimensions: int, seed: int) -> torch.Tensor:
    """Multiply by a matrix of random signs over sqrt(dimensions), the same for every call.

    Inner products are kept on average (Johnson-Lindenstrauss; Achlioptas 2003 for signs). The signs
    come from a counter-based generator on the CPU, so that every device has the same ones.

    Parameters
    ----------
    vectors : torch.Tensor of shape (n, P), float32
    dimensions : int
        A multiple of eight.
    seed : int
        At least 0, of 63 bits.

    Returns
    -------
    torch.Tensor of shape (n, dimensions), float32
    """
    projected = vectors.new_zeros((len(vectors), dimensions))
    for block, start in enumerate(range(0, vectors.shape[1], BLOCK_WEIGHTS)):
        some = vectors[:, start : start + BLOCK_WEIGHTS]
        signs = random_signs(block, dimensions=dimensions, seed=seed)[: some.shape[1]]
        projected += some @ signs.to(vectors.device)
    return projected / dimensions**0.5


def random_signs(block: int, *, dimensions: int, seed: int) -> torch.Tensor:
    """Give block number `block` of the matrix: +1 and -1, (BLOCK_WEIGHTS, dimensions) float32."""
    import torch

    bits = np.random.Generator(np.random.Philox(key=[seed, block]))
    packed = np.frombuffer(bits.bytes(BLOCK_WEIGHTS * dimensions // 8), dtype=np.uint8)
    signs = torch.from_numpy(np.unpackbits(packed)).float().mul_(2).sub_(1)
    return signs.view(BLOCK_WEIGHTS, dimensions)


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """Scale each row to length one; a row of zeros stays one."""
    return vectors / vectors.norm(dim=1, keepdim=True).clamp(min=1e-30)
