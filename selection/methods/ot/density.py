"""Weights 1 / density, so that copies of a text together weigh as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from selection.methods.contract.cost import CostInputs
from selection.methods.ot.options import OtOptions
from selection.neighbours.density import Densities


class DensityWeights(Densities):
    """Weights of rows by their density in a sample, at most 1."""

    def of(self, rows: Any) -> np.ndarray:
        """Give weights of shape (B,)."""
        return 1.0 / super().of(rows)


def weighing(options: OtOptions) -> Callable[[np.ndarray], DensityWeights] | None:
    """Give what learns weights from a sample; None where every row weighs the same."""
    neighbours, bandwidth = options.density_neighbours, options.density_bandwidth
    if neighbours is None:
        return None
    # A sample may have fewer rows than the neighbours asked for; then all of them count.
    return lambda sample: DensityWeights(
        sample, neighbours=min(neighbours, len(sample)), bandwidth=bandwidth
    )


def density_flops(inputs: CostInputs[OtOptions], options: OtOptions) -> float:
    """FLOPs of weighing the sample, and the pool where the sample is not all of it.

    As of an exact index: an approximate one, of large samples, spends less.
    """
    if options.density_neighbours is None:
        return 0.0
    sample = min(inputs.n_pool, options.solve_rows)
    weighed = sample if sample == inputs.n_pool else sample + inputs.n_pool
    return 2.0 * sample * weighed * inputs.width
