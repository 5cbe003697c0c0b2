"""How much may be selected: FLOPs that pay for selecting and training, or rows, or tokens."""

from __future__ import annotations

import math

from pydantic import Field, model_validator

from selection.config.decoders import Decoder
from selection.config.names import Strict

MAX_FLOPS = 1e30
"""More than all computers have ever done."""
MAX_COUNT = 10**15
"""Rows or tokens; more than all that was ever written."""

PAID = ("share", "flops")
"""Units of which selection is paid first: what trains is compared at equal total cost."""


class Budget(Strict):
    """One budget, in one unit.

    In a study that trains it is a total of FLOPs, of which selection is paid too. Where nothing is
    trained it may also be how much is to be selected.
    """

    share: float | None = Field(
        default=None, gt=0, le=1, description="Of the FLOPs of one epoch over the pool."
    )
    flops: float | None = Field(default=None, gt=0, le=MAX_FLOPS)
    rows: int | None = Field(default=None, ge=1, le=MAX_COUNT)
    rows_share: float | None = Field(
        default=None, gt=0, le=1, description="Of the pool's rows, rounded up."
    )
    tokens: int | None = Field(default=None, ge=1, le=MAX_COUNT)

    @model_validator(mode="after")
    def _one_unit(self) -> Budget:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError(
                "give one of `share` (0 to 1 of one epoch's FLOPs) and `flops`, or, where nothing"
                " is trained, of `rows`, `rows_share` (0 to 1 of the pool's) and `tokens`"
            )
        return self

    @property
    def key(self) -> str:
        """The partition key, such as `5pct`, `2e12flops`, `5000rows` or `5pct_rows`."""
        [(unit, much)] = self.model_dump(exclude_none=True).items()
        if unit == "flops":
            return f"{much:.6g}flops".replace("+", "")
        if unit in ("rows", "tokens"):
            return f"{much}{unit}"
        return f"{much * 100:.6g}pct" + ("_rows" if unit == "rows_share" else "")

    @property
    def is_paid(self) -> bool:
        """Whether it is a total of FLOPs, of which selection is paid too."""
        return self.share is not None or self.flops is not None

    def total_flops(self, epoch_flops: float) -> float:
        """The cap on selection plus training, in FLOPs, of a budget that `is_paid`."""
        if self.share is not None:
            return self.share * epoch_flops
        assert self.flops is not None
        return self.flops

    def most_rows(self, pool_rows: int) -> int:
        """Rows that may be selected; all of the pool's where the budget counts something else."""
        if self.rows_share is not None:
            return max(1, math.ceil(self.rows_share * pool_rows))
        return pool_rows if self.rows is None else min(self.rows, pool_rows)


def see_that_it_can_be_counted(budget: Budget, *, trains: bool, model: Decoder | None) -> None:
    """Refuse a budget that a study has no measure for.

    Raises
    ------
    ValueError
        Saying what to write instead.
    """
    if trains and not budget.is_paid:
        raise ValueError(
            f"the budget {budget.key} counts no cost, and what is trained is compared at equal"
            " total cost: give `share` or `flops`, or set `trains: false`"
        )
    if budget.is_paid and model is None:
        raise ValueError(
            f"the budget {budget.key} is of FLOPs, which only a `base_model` gives a meaning: name"
            " one, or give `rows`, `rows_share` or `tokens`"
        )
