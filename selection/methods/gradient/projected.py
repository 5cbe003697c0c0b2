"""The features of a row: its gradient at every checkpoint, projected and scaled to length one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from selection.methods.gradient.adam import preconditioned
from selection.methods.gradient.lora import Adapted
from selection.methods.gradient.projection import project, unit
from selection.methods.gradient.row_gradients import row_gradients
from selection.models.windows import WindowedRow

_GRADIENT_BYTES = 2**28  # of one block's gradients; Adam's direction takes three times as much
_MOST_ROWS = 512


def rows_at_once(adapted_size: int) -> int:
    """Rows whose gradients of P weights are held at a time: many share a block of random signs."""
    return max(1, min(_MOST_ROWS, _GRADIENT_BYTES // (4 * adapted_size)))


def projected_gradients(
    adapted: Adapted,
    checkpoints: Sequence[Mapping[str, np.ndarray]],
    rows: Sequence[WindowedRow],
    *,
    longest: int,
    adam: bool,
    dimensions: int,
    seed: int,
) -> np.ndarray:
    """Give unit vectors of shape (n, C, dimensions), float32.

    Parameters
    ----------
    checkpoints : sequence of mappings, length C
        As `selection.methods.gradient.warm_up.WarmUp.checkpoints`.
    adam : bool
        Adam's direction along the gradient, as the pool's rows have it, instead of the gradient.
    longest : as in `row_gradients`.
    dimensions, seed : as in `project`.

    Raises
    ------
    ValueError
        As `row_gradients`.
    """
    import torch

    found = np.empty((len(rows), len(checkpoints), dimensions), dtype=np.float32)
    if not rows:
        return found
    for place, checkpoint in enumerate(checkpoints):
        state = {n: torch.tensor(a, device=adapted.device) for n, a in checkpoint.items()}
        vectors = row_gradients(adapted, state["weights"], rows, longest=longest)
        if adam:
            vectors = preconditioned(vectors, state["first_moment"], state["second_moment"])
        features = unit(project(vectors, dimensions=dimensions, seed=seed))
        found[:, place] = features.cpu().numpy()
    return found
