"""FLOPs of an embedding model.

Charged are all tokens of a text that go through the model, those of its prompt and the marks of its
ends among them, and no padding. How much there is of it depends on the device, on the precision,
and on which texts are embedded in one go, and a charge must depend on none of these. Batches hold
it down to a twentieth: they are of texts of near lengths, or of all lengths side by side, which are
filled up to a multiple of 64 tokens in all. In bfloat16 a text of 48 tokens or more is filled up to
the next multiple of 16 too.
"""

from __future__ import annotations

import numpy as np


def encoder_flops(*, layers: int, width: int, ffn_width: int, lengths: np.ndarray) -> float:
    """Forward FLOPs of a BERT-shaped encoder: ``sum_t layers (8 d^2 + 4 d d_ff + 4 s d)``.

    Two feed-forward matrices (not the three of a gated decoder), no output vocabulary, and each
    text pays attention over its own length ``s``, since batches hold texts of similar length.

    Parameters
    ----------
    lengths : int64 of shape (n,), tokens of each text.
    """
    per_token = 8 * width**2 + 4 * width * ffn_width
    tokens = float(lengths.sum())
    attention = 4 * width * float((lengths.astype(np.float64) ** 2).sum())
    return layers * (per_token * tokens + attention)
