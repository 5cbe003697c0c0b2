"""What warm-up, gradients and projection cost, before they run and while they do.

The base's passes are those of the selector's accountant, for LoRA. Unlike the accountants, the
adapters are counted too: their weights are few beside the base's, but there is one gradient of them
for every row. Windows are counted as wide as they are computed. Not counted is what multiplies no
matrices: Adam's direction, norms, the generator of the signs.
"""

from __future__ import annotations

import numpy as np

from selection.costs.rows import rows_training_flops
from selection.methods.contract.cost import SelectorSize
from selection.methods.contract.preparation import Selector
from selection.methods.gradient.lora import adapter_weights
from selection.methods.gradient.options import GradientOptions
from selection.methods.gradient.tokens import padded_widths
from selection.models.windows import window_lengths


def gradient_flops(
    selector: Selector | SelectorSize, widths: np.ndarray, options: GradientOptions
) -> float:
    """Forward and backward pass over windows computed `widths` tokens wide, (n,) int."""
    # Each weight of an adapter multiplies a token once forward, once for the gradient of the
    # adapter's input and once for that of the weight: 2 FLOPs each.
    weights = adapter_weights(selector.shape, options.lora_rank)
    adapters = 6.0 * weights * float(np.sum(widths))
    return adapters + rows_training_flops(
        selector.shape, widths, accountant=selector.accountant, lora=True
    )


def projected_gradient_flops(
    selector: Selector | SelectorSize, lengths: np.ndarray, options: GradientOptions
) -> float:
    """Projected gradients of rows of `lengths` tokens, (n,) int, at every checkpoint.

    Every window has a gradient; the sum of a row's windows is projected once.
    """
    longest = selector.shape.sequence_length
    widths = padded_widths(window_lengths(lengths, longest), longest)
    weights = adapter_weights(selector.shape, options.lora_rank)
    projection = 2.0 * len(lengths) * weights * options.dimensions
    return options.checkpoints * (gradient_flops(selector, widths, options) + projection)
