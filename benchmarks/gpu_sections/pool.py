"""Synthetic embeddings: clusters in many directions, made on the device, the same every time."""

from __future__ import annotations

from dataclasses import dataclass

import torch

_CLUSTERS = 500
_BLOCK = 2**16


@dataclass(frozen=True)
class Problem:
    """A pool and a target that looks like a tenth of its clusters, float16 on the device."""

    pool_ND: torch.Tensor
    target_MD: torch.Tensor


def make_problem(n: int, m: int, width: int, device: torch.device) -> Problem:
    """Make n rows of a pool and m of a target; random numbers differ from device to device."""
    random = torch.Generator(device).manual_seed(0)
    # Real embeddings vary much in few directions and little in many.
    spread_D = torch.arange(1, width + 1, device=device) ** -0.5
    centres_CD = _unit(_normal(_CLUSTERS, width, random) * spread_D)

    def rows(count: int, clusters: int) -> torch.Tensor:
        made = torch.empty(count, width, dtype=torch.float16, device=device)
        for start in range(0, count, _BLOCK):
            block_BD = made[start : start + _BLOCK]
            size = (len(block_BD),)
            near = torch.randint(clusters, size, generator=random, device=device)
            noise_BD = _normal(len(block_BD), width, random) * spread_D.sqrt()
            block_BD.copy_(_unit(centres_CD[near] + 0.8 * _unit(noise_BD)))
        return made

    return Problem(rows(n, _CLUSTERS), rows(m, _CLUSTERS // 10))


def _normal(n: int, width: int, random: torch.Generator) -> torch.Tensor:
    return torch.randn(n, width, generator=random, device=random.device)


def _unit(rows_ND: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(rows_ND, dim=1)
