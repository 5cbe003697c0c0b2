"""One gradient for each row, many windows at a time (torch.func's vmap)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from selection.methods.gradient.lora import Adapted
from selection.methods.gradient.tokens import BATCH_TOKENS, padded_widths, stack
from selection.models.packing import IGNORED_LABEL
from selection.models.windows import WindowedRow

if TYPE_CHECKING:
    import torch


def row_gradients(
    adapted: Adapted,
    weights: torch.Tensor,
    rows: Sequence[WindowedRow],
    *,
    longest: int,
    batch_tokens: int = BATCH_TOKENS,
) -> torch.Tensor:
    """Gradient of each row's mean token loss with respect to the adapters' weights.

    That is the mean of its windows' gradients by their predicted tokens, as for a training on the
    row in these windows. Windows of one padded width are computed together, whatever rows they are
    of, so that a gradient depends on its batch by the last bits of a matrix product at most.

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

    def loss(
        named: dict[str, torch.Tensor],
        ids: torch.Tensor,
        following: torch.Tensor,
        share: torch.Tensor,
    ) -> Any:
        output = functional_call(adapted.model, named, (ids[None],), {"use_cache": False})
        return share * _summed_loss(output.logits[0], following)

    each = vmap(grad(loss), in_dims=(None, 0, 0, 0))
    named = adapted.named(weights.to(adapted.device))
    gradients = torch.zeros((len(rows), adapted.size), device=adapted.device)
    windows = [window for row in rows for window in row.windows]
    owner = np.repeat(np.arange(len(rows)), [len(row.windows) for row in rows])
    share = 1.0 / np.array([row.n_measured for row in rows], dtype=np.float64)[owner]
    widths = padded_widths(np.array([len(window.ids) for window in windows]), longest)
    for width, some in _same_width(widths, batch_tokens):
        ids, following = stack([windows[i] for i in some], width, adapted.device)
        shares = torch.tensor(share[some], dtype=torch.float32, device=adapted.device)
        found = adapted.flat(each(named, ids, following, shares), batched=True)
        # One after the other: sums of a GPU that are scattered all at once have no fixed order.
        for place, gradient in zip(owner[some].tolist(), found, strict=True):
            gradients[place] += gradient
    finite = gradients.isfinite().all(dim=1)
    if not finite.all():
        place = int((~finite).nonzero()[0])
        raise ValueError(
            f"the gradient of row {place} of {len(rows)} is not finite: the selector's loss "
            "overflows on it; lower the warm-up's learning_rate, or use another selector"
        )
    return gradients


def _summed_loss(logits: torch.Tensor, following: torch.Tensor) -> torch.Tensor:
    """Sum of the next-token losses in nats: logits (T, V), what follows each place (T,)."""
    from torch.nn.functional import cross_entropy

    return cross_entropy(logits.float(), following, ignore_index=IGNORED_LABEL, reduction="sum")


def _same_width(widths: np.ndarray, batch_tokens: int) -> Iterator[tuple[int, np.ndarray]]:
    """Give (width, places of windows) of each batch, the widest first."""
    for width in np.unique(widths)[::-1].tolist():
        places = np.flatnonzero(widths == width)
        size = max(1, batch_tokens // width)
        for start in range(0, len(places), size):
            yield width, places[start : start + size]
