"""What the optimal-transport method can be asked for."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import Field

from selection.basics.bounds import RowCount
from selection.methods.contract.options import MethodOptions


class OtOptions(MethodOptions):
    """Options of the optimal-transport method."""

    eps_rel: float = Field(
        default=0.02,
        gt=0,
        le=1_000,
        description="regularisation as a share of the mean squared distance; smaller ranks more "
        "as exact transport does, larger takes fewer passes and depends less on the rows at hand",
    )
    tol: float = Field(
        default=1e-3, gt=0, lt=2, description="L1 error allowed in the target's marginal"
    )
    solve_rows: RowCount = Field(
        default=50_000,
        ge=2,
        description="rows of the pool to solve on, by a seeded hash; twice as many while the "
        "certificate fails",
    )
    max_pool_residual: float = Field(
        default=0.05,
        gt=0,
        lt=2,
        description="certificate: L1 error allowed in the target's marginal over the whole pool",
    )
    min_overlap: float = Field(
        default=0.95,
        ge=0,
        le=1,
        description="certificate: estimated overlap of the top 1 % with a solve on the whole pool",
    )
    max_iterations: int = Field(
        default=10_000,
        ge=1,
        le=100_000_000,
        description="passes after which a solve above tol is an error",
    )
    precision: Literal["float32", "tf32", "bfloat16"] = Field(
        default="float32", description="of the products of rows and target"
    )
    nearest_sources: RowCount | None = Field(
        default=None,
        description="candidates are the rows of this many sources only, those at the smallest OT "
        "distance from the target (the paper: 2); null: of all sources",
    )
    source_rows: RowCount = Field(
        default=10_000,
        description="rows of each source, by a seeded hash, whose OT distance is measured",
    )
    contrast_weight: float | None = Field(
        default=None,
        gt=0,
        le=1e6,
        description="take away this many times the score for the study's `contrast`, which rows "
        "are to be unlike; 1 weighs both alike; null: there is none",
    )
    density_neighbours: int | None = Field(
        default=None,
        ge=2,
        le=1_000_000,
        description="weigh rows by 1 / density (TSDS) over this many neighbours in the sample, so "
        "that copies of a text together weigh as one; null: every row weighs the same",
    )
    density_cosine: float = Field(
        default=0.9, gt=0, lt=1, description="cosine from which on a neighbour adds to the density"
    )
    warm_start: bool = Field(
        default=False,
        description="start from the last fit's potentials: fewer passes, but a result that within "
        "tol depends on what was fitted before",
    )

    @property
    def density_bandwidth(self) -> float:
        """Distance of unit rows at `density_cosine`."""
        return math.sqrt(2.0 - 2.0 * self.density_cosine)

    def solver(self, memory_limit: int | None) -> dict[str, Any]:
        """Arguments of `solve_potentials`."""
        return {
            "eps_rel": self.eps_rel,
            "tol": self.tol,
            "max_iterations": self.max_iterations,
            "memory_limit": memory_limit,
            "precision": self.precision,
        }
