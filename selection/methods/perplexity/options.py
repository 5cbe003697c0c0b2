"""Options of the perplexity method."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from selection.basics.bounds import BatchSize, LearningRate, Seed
from selection.methods.contract.options import MethodOptions
from selection.models.recipe import Recipe


class PerplexityOptions(MethodOptions):
    """What is tuned, and which rows come first."""

    band: Literal["low", "mid", "high"] = Field(
        default="mid",
        description="low: lowest perplexity first; mid: nearest to the pool's median first, and so "
        "its middle third before all others; high: highest first",
    )
    epochs: int = Field(
        default=3,
        ge=0,
        le=1_000,
        description="passes over the target's dev split to tune the selector; 0: it is used as is",
    )
    learning_rate: LearningRate = Field(default=1e-4, description="of the tuning, at its peak")
    batch_size: BatchSize = Field(
        default=8, description="examples, or windows of long texts, in a step of the tuning"
    )
    seed: Seed = Field(default=0, description="of the order of the examples in the tuning")

    @property
    def recipe(self) -> Recipe:
        """How the selector is tuned; ValueError where it is not."""
        return Recipe(
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            seed=self.seed,
        )
