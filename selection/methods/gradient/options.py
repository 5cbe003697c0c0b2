"""What can be set of the gradient method, and the paper's values."""

from __future__ import annotations

from pydantic import Field

from selection.basics.bounds import BatchSize, Epochs, LearningRate, LoraRank, Seed
from selection.methods.contract.options import MethodOptions


class GradientOptions(MethodOptions):
    """Options of the gradient method.

    LESS (arXiv 2402.04333) warms 7B models up with rank 128 and a learning rate of 2e-5, in
    batches of 128; the defaults of these three suit the small selectors that pay.
    """

    dimensions: int = Field(
        default=8192,
        ge=8,
        le=1_048_576,
        multiple_of=8,
        description="width of the random projection",
    )
    checkpoints: Epochs = Field(
        default=4, description="epochs of the warm-up, each of which ends in a checkpoint"
    )
    warm_up_share: float = Field(
        default=0.05, gt=0, le=1, description="share of the pool's rows that the warm-up trains on"
    )
    lora_rank: LoraRank = Field(default=8, description="rank of the adapters; alpha is twice it")
    learning_rate: LearningRate = Field(
        default=2e-4, description="highest rate of the warm-up; falls linearly to zero"
    )
    batch_size: BatchSize = Field(default=16, description="rows per step of the warm-up")
    seed: Seed = Field(
        default=0, description="of the warm-up's rows and order, the adapters and the projection"
    )
