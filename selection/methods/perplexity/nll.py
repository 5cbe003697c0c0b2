"""The negative log-likelihood that a model gives to the text of each row, all of it.

In float32, as the model is trained. A row's loss then depends by its last bits on the batch that it
happened to be in, so that rows whose mean losses are nearer to each other than twice `TOLERANCE`
may change places. Float64 would hide it, for twice the time on a processor and far more on most
GPUs, at the same FLOPs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from selection.models.windows import WindowedRow, windows_nll

if TYPE_CHECKING:
    from transformers import PreTrainedModel

BATCH_TOKENS = 4096
TOLERANCE = 1e-5
"""Nats by which a row's mean loss may differ from the one in float64."""
# A shorter window goes into the next batch: padding is computed on, and a row is not charged for
# what others happen to share its batch.
_SHORTEST_SHARE = 0.95


def text_nll(
    model: PreTrainedModel,
    rows: Sequence[WindowedRow],
    *,
    device: str,
    batch_tokens: int = BATCH_TOKENS,
) -> np.ndarray:
    """Sum the negative log-likelihoods of the measured tokens of each row, over all its windows.

    Windows of near lengths share a batch, whatever rows they are of, with at most a twentieth of it
    padding.

    Parameters
    ----------
    model : PreTrainedModel
        A decoder; moved to `device`, and in evaluation mode from then on.
    batch_tokens : int
        Tokens per batch, padding included; a longer window makes a batch of its own.

    Returns
    -------
    np.ndarray of shape (n,), float64
        Nats.
    """
    owner = np.repeat(np.arange(len(rows)), [len(row.windows) for row in rows])
    nll = windows_nll(
        model,
        [window for row in rows for window in row.windows],
        device=device,
        batch_tokens=batch_tokens,
        shortest_share=_SHORTEST_SHARE,
    )
    return np.bincount(owner, weights=nll, minlength=len(rows)).astype(np.float64)
