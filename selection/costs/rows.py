"""FLOPs of passes over rows of differing lengths, each row attending to its own tokens only.

Every accountant of `selection.costs.flops` is affine in the sequence length s: a token costs
``base + slope * s``, the slope being attention's. Over rows of lengths l that sums to
``base * sum(l) + slope * sum(l ** 2)``, so two lengths give the figure of any number of rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from selection.costs import ModelShape, forward_flops, training_flops


def rows_forward_flops(shape: ModelShape, lengths: np.ndarray, *, accountant: str) -> float:
    """FLOPs of one forward pass over each row by itself, without padding.

    Parameters
    ----------
    shape : ModelShape
        The model; its `sequence_length` is not used.
    lengths : np.ndarray of shape (n,), int
        Tokens of each row; a row of none costs nothing.
    accountant : str
        One of `selection.costs.flops.ACCOUNTANTS`.

    Raises
    ------
    ValueError
        For an unknown accountant or a negative length.
    """
    return _over_rows(lengths, lambda s: forward_flops(_at(shape, s), 1.0, accountant=accountant))


def rows_training_flops(
    shape: ModelShape, lengths: np.ndarray, *, accountant: str, lora: bool = False
) -> float:
    """FLOPs of one forward and backward pass over each row by itself, without padding.

    Parameters
    ----------
    shape, lengths, accountant
        As in `rows_forward_flops`.
    lora : bool
        Frozen base weights; the adapters themselves are left out, as by every accountant.

    Raises
    ------
    ValueError
        As `rows_forward_flops`.
    """
    return _over_rows(
        lengths,
        lambda s: training_flops(_at(shape, s), 1.0, accountant=accountant, lora=lora),
    )


def trained_flops(
    shape: ModelShape, widths: np.ndarray, *, accountant: str, lora: bool = False
) -> float:
    """FLOPs of training on rows that are computed `widths` tokens wide, (n,) int.

    Those as wide as the shape's sequences cost to the last bit what `training_flops` says, in which
    budgets are counted.
    """
    wide = np.asarray(widths)
    whole = wide == shape.sequence_length
    of_whole = training_flops(shape, float(wide[whole].sum()), accountant=accountant, lora=lora)
    if whole.all():
        return of_whole
    return of_whole + rows_training_flops(shape, wide[~whole], accountant=accountant, lora=lora)


def _at(shape: ModelShape, sequence_length: int) -> ModelShape:
    return replace(shape, sequence_length=sequence_length)


def _over_rows(lengths: np.ndarray, per_token: Callable[[int], float]) -> float:
    tokens = np.asarray(lengths, dtype=np.float64)
    if not (tokens >= 0).all():
        raise ValueError(f"lengths must be >= 0, got one of {tokens.min()}")
    one, two = per_token(1), per_token(2)
    slope = two - one
    return float((one - slope) * tokens.sum() + slope * (tokens**2).sum())
