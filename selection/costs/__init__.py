"""What a model's passes cost in FLOPs, by four named accountants."""

from selection.costs.flops import (
    ACCOUNTANTS,
    FULL_BACKWARD,
    LORA_BACKWARD,
    forward_flops,
    training_flops,
)
from selection.costs.shape import ModelShape

__all__ = [
    "ACCOUNTANTS",
    "FULL_BACKWARD",
    "LORA_BACKWARD",
    "ModelShape",
    "forward_flops",
    "training_flops",
]
