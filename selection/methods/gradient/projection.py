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
    come from a counter-based generator, so that every block and device has the same ones.

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
        signs = random_signs(block, dimensions=dimensions, seed=seed, device=vectors.device)
        projected += some @ signs[: some.shape[1]]
    return projected / dimensions**0.5


def random_signs(
    block: int, *, dimensions: int, seed: int, device: str | torch.device = "cpu"
) -> torch.Tensor:
    """Give block number `block` of the matrix: +1 and -1, (BLOCK_WEIGHTS, dimensions) float32.

    One bit a sign comes from the generator and travels to the device, where it is spread out.
    """
    import torch

    bits = np.random.Generator(np.random.Philox(key=[seed, block]))
    packed = bytearray(bits.bytes(BLOCK_WEIGHTS * dimensions // 8))
    packed_K = torch.frombuffer(packed, dtype=torch.uint8).to(device)
    every_byte = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    signs_of_byte = torch.from_numpy(every_byte).to(device).float().mul_(2).sub_(1)
    return signs_of_byte[packed_K.int()].view(BLOCK_WEIGHTS, dimensions)


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """Scale each row to length one; a row of zeros stays one."""
    return vectors / vectors.norm(dim=1, keepdim=True).clamp(min=1e-30)
