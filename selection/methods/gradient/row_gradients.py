"""One gradient for each row, many rows at a time (torch.func's vmap)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from selection.methods.gradient.lora import Adapted
from selection.methods.gradient.tokens import TokenRow, lengths_of, padded_widths, stack
from selection.models.packing import IGNORED_LABEL

if TYPE_CHECKING:
    import torch

BATCH_TOKENS = 4096


def row_gradients(
    adapted: Adapted,
    weights: torch.Tensor,
    rows: Sequence[TokenRow],
    *,
    longest: int,
    batch_tokens: int = BATCH_TOKENS,
) -> torch.Tensor:
    """Gradient of each row's mean token loss with respect to the adapters' weights.

    Rows of one padded width are computed together, so that a row's gradient depends on its batch
    by the last bits of a matrix product at most.

    Parameters
    ----------
    weights : torch.Tensor of shape (P,)
        At which the gradient is taken.
    longest : int
        Longest sequence of the decoder.
    batch_tokens : int
        Tokens computed on at a time, padding included.

    Returns
    -------
    torch.Tensor of shape (n, P), float32, on the adapters' device

    Raises
    ------
    ValueError
        Naming the place of a row whose gradient is not finite.
    """
    import torch
    from torch.func import functional_call, grad, vmap

    def loss(named: dict[str, torch.Tensor], ids: torch.Tensor, labels: torch.Tensor) -> Any:
        output = functional_call(adapted.model, named, (ids[None],), {"use_cache": False})
        return _mean_loss(output.logits[0], labels)

    each = vmap(grad(loss), in_dims=(None, 0, 0))
    named = adapted.named(weights.to(adapted.device))
    gradients = torch.empty((len(rows), adapted.size), device=adapted.device)
    widths = padded_widths(lengths_of(rows), longest)
    for width, some in _same_width(widths, batch_tokens):
        ids, labels = stack([rows[i] for i in some], width, adapted.device)
        gradients[torch.from_numpy(some)] = adapted.flat(each(named, ids, labels), batched=True)
    finite = gradients.isfinite().all(dim=1)
    if not finite.all():
        place = int((~finite).nonzero()[0])
        raise ValueError(
            f"the gradient of row {place} of {len(rows)} is not finite: the selector's loss "
            "overflows on it; lower the warm-up's learning_rate, or use another selector"
        )
    return gradients


def _mean_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean next-token loss in nats: logits (T, V), unshifted labels (T,)."""
    from torch.nn.functional import cross_entropy

    predicted = labels[1:]
    total = cross_entropy(
        logits[:-1].float(), predicted, ignore_index=IGNORED_LABEL, reduction="sum"
    )
    return total / (predicted != IGNORED_LABEL).sum()


def _same_width(widths: np.ndarray, batch_tokens: int) -> Iterator[tuple[int, np.ndarray]]:
    """Give (width, places of rows) of each batch, the widest first."""
    for width in np.unique(widths)[::-1].tolist():
        places = np.flatnonzero(widths == width)
        size = max(1, batch_tokens // width)
        for start in range(0, len(places), size):
            yield width, places[start : start + size]
