"""Forward passes by what is computed in them: tokens, what these attend to, and their logits.

A pass need not be over whole rows: tokens that follow a cached text attend to it and are not
computed with it again, and where only the next token matters, one position of a row has logits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from selection.costs.flops import forward_flops
from selection.costs.shape import ModelShape


@dataclass(frozen=True)
class Passes:
    """What goes through a model, in whole numbers, so that sums do not depend on their order.

    Attributes
    ----------
    tokens : computed on, padding included.
    attended : the tokens that each of them attends to, over all of them; padding, and of causal
        attention the half that is masked, are computed like any.
    logits : places whose logits over the vocabulary are computed.
    """

    tokens: int = 0
    attended: int = 0
    logits: int = 0

    @classmethod
    def of_rows(cls, widths: np.ndarray) -> Passes:
        """Give the passes over whole rows, (n,) int, each computed so many tokens wide."""
        wide = np.asarray(widths, dtype=np.int64)
        return cls(int(wide.sum()), int((wide**2).sum()), int(wide.sum()))

    def __add__(self, other: Passes) -> Passes:
        """Both, one after the other."""
        return Passes(
            self.tokens + other.tokens,
            self.attended + other.attended,
            self.logits + other.logits,
        )


def passes_flops(shape: ModelShape, passes: Passes, *, accountant: str) -> float:
    """FLOPs of forward passes of a decoder.

    Every accountant is affine in the tokens that a token attends to, and charges ``2 V d`` for its
    logits; what `detailed` charges for the look-up of a token remains where it has no logits.

    Parameters
    ----------
    shape : ModelShape
        The model; its `sequence_length` is not used.
    accountant : str
        One of `selection.costs.flops.ACCOUNTANTS`.

    Raises
    ------
    ValueError
        For an unknown accountant.
    """
    one, two = (
        forward_flops(replace(shape, sequence_length=s), 1.0, accountant=accountant) for s in (1, 2)
    )
    slope, logits = two - one, 2.0 * shape.vocabulary * shape.width
    without = one - slope - logits
    return without * passes.tokens + slope * passes.attended + logits * passes.logits
