"""What warm-up, gradients and projection cost, before they run and while they do.

The base's passes are those of the selector's accountant, for LoRA. Unlike the accountants, the
adapters are counted too: their weights are few beside the base's, but there is one gradient of them
for every row. Rows are counted as wide as they are computed. Not counted is what does not multiply
matrices: Adam's direction, norms, the generator of the signs.
"""

from __future__ import annotations

import numpy as np

from selection.costs import ModelShape
from selection.costs.rows import rows_training_flops
from selection.methods.gradient.lora import adapter_weights
from selection.methods.gradient.tokens import padded_widths


def gradient_flops(shape: ModelShape, widths: np.ndarray, *, rank: int, accountant: str) -> float:
    """Forward and backward pass over rows that are computed `widths` tokens wide, (n,) int."""
    # Each weight of an adapter multiplies a token once forward, once for the gradient of the
    # adapter's input and once for that of the weight: 2 FLOPs each.
    adapters = 6.0 * adapter_weights(shape, rank) * float(np.sum(widths))
    return adapters + rows_training_flops(shape, widths, accountant=accountant, lora=True)


def projected_gradient_flops(
    shape: ModelShape,
    lengths: np.ndarray,
    *,
    rank: int,
    dimensions: int,
    checkpoints: int,
    accountant: str,
) -> float:
    """Projected gradients of rows of `lengths` tokens, (n,) int, at every checkpoint."""
    widths = padded_widths(lengths, shape.sequence_length)
    gradients = gradient_flops(shape, widths, rank=rank, accountant=accountant)
    projection = 2.0 * len(widths) * adapter_weights(shape, rank) * dimensions
    return checkpoints * (gradients + projection)
