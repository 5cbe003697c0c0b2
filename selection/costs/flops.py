"""How many FLOPs a forward or a training pass costs, before it has run.

Four named accountants answer; every figure that is stored must say which one was used.

``dense``
    ``2 N`` per token, N = all matrix parameters of the model that a token passes.
``detailed``
    ``L [8 d^2 + 6 d d_ff + 4 s d] + 4 V d`` per token (CCDS, arXiv 2410.16208). The paper charges
    grouped-query models as if every query head had its own keys and values: only so does its
    70B figure (4.926e19 for one epoch) come out, and so this accountant ignores ``kv_heads``.
    Where heads are not d wide together, their width stands for d in the attention; of a mixture of
    experts d_ff is that of the experts that a token passes, and the router's ``2 d E`` is added.
    Attention is over the whole text, also of models that attend to a sliding window of it.
``detailed_gqa``
    The same with the key and value projections at their real size (11 % less for Llama-2 70B).
``measured``
    What torch counts in a model of this shape while it runs (`selection.costs.measured`): about
    `detailed_gqa` without the look-up of the embeddings, which multiplies nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from selection.costs.measured import measured_per_token
from selection.costs.shape import ModelShape

FULL_BACKWARD = 2.0
"""Forwards that a backward pass costs when every weight is trained."""

LORA_BACKWARD = 1.0
"""With frozen base weights, whose gradients are never formed."""


def _detailed(shape: ModelShape, *, kv_share: float = 1.0) -> float:
    d, a = shape.width, shape.attention_width
    attention = (4 + 4 * kv_share) * d * a + 4 * shape.sequence_length * a
    ffn = (6 if shape.gated_ffn else 4) * d * shape.ffn_width + 2 * d * shape.experts
    head = 4 * shape.vocabulary * d if shape.output_head else 0
    return float(shape.layers * (attention + ffn) + head)


_FORWARD_PER_TOKEN: dict[str, Callable[[ModelShape], float]] = {
    "dense": lambda shape: 2.0 * shape.parameters,
    "detailed": _detailed,
    "detailed_gqa": lambda shape: _detailed(shape, kv_share=shape.kv_heads / shape.heads),
    "measured": lambda shape: measured_per_token(shape)[0],
}

ACCOUNTANTS = tuple(_FORWARD_PER_TOKEN)
"""Names that `accountant` may have."""


def forward_flops(shape: ModelShape, tokens: float, *, accountant: str = "detailed") -> float:
    """FLOPs of one forward pass over `tokens` tokens.

    Parameters
    ----------
    shape : ModelShape
        The model.
    tokens : float
        Tokens processed, padding included when it is computed on.
    accountant : {"dense", "detailed", "detailed_gqa", "measured"}
        See the module's docstring.

    Raises
    ------
    ValueError
        For an unknown accountant or a negative number of tokens.
    """
    if accountant not in ACCOUNTANTS:
        raise ValueError(f"unknown accountant {accountant!r}; known: {', '.join(ACCOUNTANTS)}")
    # `not >=` also refuses NaN, which would pass every later comparison with a budget
    if not tokens >= 0:
        raise ValueError(f"tokens must be >= 0, got {tokens}")
    return _FORWARD_PER_TOKEN[accountant](shape) * tokens


def training_flops(
    shape: ModelShape,
    tokens: float,
    *,
    accountant: str = "detailed",
    lora: bool = False,
    backward: float | None = None,
) -> float:
    """FLOPs of one forward and backward pass over `tokens` tokens.

    Parameters
    ----------
    shape, tokens, accountant
        As in `forward_flops`; for several epochs multiply `tokens`.
    lora : bool
        Frozen base weights.
    backward : float, optional
        The backward pass in forwards. By default `FULL_BACKWARD`, or `LORA_BACKWARD` with LoRA;
        the accountant `measured` measures it instead.

    Raises
    ------
    ValueError
        As `forward_flops`, and for a `backward` that is negative or not finite.
    """
    forward = forward_flops(shape, tokens, accountant=accountant)
    if backward is None and accountant == "measured":
        _, per_token = measured_per_token(shape, backward="frozen" if lora else "full")
        return forward + per_token * tokens
    if backward is None:
        backward = LORA_BACKWARD if lora else FULL_BACKWARD
    if not 0 <= backward < math.inf:
        raise ValueError(f"backward must be a finite number of forwards >= 0, got {backward}")
    return (1 + backward) * forward
