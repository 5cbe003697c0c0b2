"""How is a decoder trained: passes, steps, rates and precision?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Parameters
    ----------
    epochs : int
        Passes over the data, each in its own seeded order.
    batch_size : int
        Rows (blocks or examples) per step; the last step may have fewer.
    learning_rate, weight_decay : float
        Of AdamW (betas 0.9, 0.999; gradients clipped to norm 1).
    warmup_ratio : float
        Share of the steps with a rising learning rate, which then falls with a cosine.
    seed : int
        Of the order, dropout and LoRA's initial weights.
    lora_rank : int, optional
        Train LoRA adapters (alpha = 2 rank, all linear layers but the output head) and merge them.
    precision : {"float32", "bfloat16"}
        bfloat16 is autocast; the weights stay float32.
    """

    epochs: int = 1
    batch_size: int = 16
    learning_rate: float = 1e-3
    warmup_ratio: float = 0.1
    weight_decay: float = 0.01
    seed: int = 0
    lora_rank: int | None = None
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        """Refuse settings that cannot train."""
        for field in ("epochs", "batch_size", "lora_rank"):
            value = getattr(self, field)
            if value is not None and value < 1:
                raise ValueError(f"Recipe.{field} must be >= 1, got {value}")
        if not self.learning_rate > 0:
            raise ValueError(f"Recipe.learning_rate must be > 0, got {self.learning_rate}")
        if not 0 <= self.warmup_ratio <= 1:
            raise ValueError(f"Recipe.warmup_ratio must lie in [0, 1], got {self.warmup_ratio}")
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"Recipe.precision must be one of {PRECISIONS}, got {self.precision!r}"
            )
