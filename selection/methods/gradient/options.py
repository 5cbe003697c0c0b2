"""What can be set of the gradient method, and the paper's values."""

from __future__ import annotations

from pydantic import Field

from selection.methods.contract.options import MethodOptions


class GradientOptions(MethodOptions):
    """Options of the gradient method.

    LESS (arXiv 2402.04333) warms 7B models up with rank 128 and a learning rate of 2e-5, in
    batches of 128; the defaults of these three suit the small selectors that pay.
    """

    dimensions: int = Field(
        default=8192, ge=8, multiple_of=8, description="width of the random projection"
    )
    checkpoints: int = Field(
        default=4, ge=1, description="epochs of the warm-up, each of which ends in a checkpoint"
    )
    warm_up_share: float = Field(
        default=0.05, gt=0, le=1, description="share of the pool's rows that the warm-up trains on"
    )
    lora_rank: int = Field(default=8, ge=1, description="rank of the adapters; alpha is twice it")
    learning_rate: float = Field(
        default=2e-4, gt=0, description="highest rate of the warm-up; falls linearly to zero"
    )
    batch_size: int = Field(default=16, ge=1, description="rows per step of the warm-up")
    seed: int = Field(
        default=0,
        ge=0,
        lt=2**63,
        description="of the warm-up's rows and order, the adapters and the projection",
    )
