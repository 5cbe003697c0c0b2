"""The negative log-likelihood that a model gives to the text of each row.

Computed in float64, so that a row's loss does not depend on the batch it happened to be in. In
float32 it does: with six layers on a CPU, one row in fifty moved by up to 8e-6 nats with the batch
size; in float64 by 1e-13, which rounding hides. It takes about twice as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from selection.models.batches import length_batches, pad_right
from selection.models.examples import Rendered
from selection.models.packing import IGNORED_LABEL

if TYPE_CHECKING:
    from transformers import PreTrainedModel

BATCH_TOKENS = 4096
# A shorter row goes into the next batch: padding is computed on, and nobody charges it.
_SHORTEST_SHARE = 0.95
_DECIMALS = 6


def text_nll(
    model: PreTrainedModel,
    rows: Sequence[Rendered],
    *,
    device: str,
    batch_tokens: int = BATCH_TOKENS,
) -> np.ndarray:
    """Sum the negative log-likelihoods of the measured tokens of each row.

    Rows of near lengths share a batch, with at most a twentieth of it padding. That is on the
    right, where causal attention never looks.

    Parameters
    ----------
    model : PreTrainedModel
        A decoder; moved to `device`, in float64 and evaluation mode from then on.
    rows : sequence of Rendered
        Of `selection.models.examples.render_parts`.
    device : str
        A torch device that computes in float64.
    batch_tokens : int
        Tokens per batch, padding included; a longer row makes a batch of its own.

    Returns
    -------
    np.ndarray of shape (n,), float64
        Nats, rounded to 6 decimals: the same whatever the batches.
    """
    import torch

    model.to(device, torch.float64).eval()  # pyright: ignore[reportArgumentType]
    nll = np.zeros(len(rows))
    with torch.inference_mode():
        lengths = [len(row.ids) for row in rows]
        for batch in length_batches(lengths, batch_tokens, shortest_share=_SHORTEST_SHARE):
            ids_BT = pad_right([rows[i].ids for i in batch], 0).to(device)
            labels_BT = pad_right([_labels(rows[i]) for i in batch], IGNORED_LABEL)[:, 1:].to(
                device
            )
            logits_BTV = model(input_ids=ids_BT, use_cache=False).logits
            losses = torch.nn.functional.cross_entropy(
                logits_BTV[:, :-1].flatten(0, 1),
                labels_BT.flatten(),
                ignore_index=IGNORED_LABEL,
                reduction="none",
            )
            nll[batch] = losses.view(labels_BT.shape).sum(dim=1).cpu().numpy()
    # Adding zero turns -0.0 into 0.0.
    return nll.round(_DECIMALS) + 0.0


def _labels(row: Rendered) -> list[int]:
    start, stop = row.measured
    unmeasured = [IGNORED_LABEL] * (len(row.ids) - stop)
    return [IGNORED_LABEL] * start + row.ids[start:stop] + unmeasured
