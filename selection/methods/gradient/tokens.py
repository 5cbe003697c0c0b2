"""How wide the windows of rows are computed, and what they become."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from selection.models.batches import length_batches, pad_right
from selection.models.packing import IGNORED_LABEL
from selection.models.windows import Window, WindowedRow

if TYPE_CHECKING:
    import torch

WIDTH_STEP = 8
BATCH_TOKENS = 4096
"""Tokens computed on at a time, padding included."""
_SHORTEST_SHARE = 0.5


def lengths_of(rows: Iterable[WindowedRow]) -> np.ndarray:
    """Tokens of each row in all its windows, int64 of shape (n,)."""
    return np.array([row.n_read for row in rows], dtype=np.int64)


def padded_widths(lengths: np.ndarray, longest: int) -> np.ndarray:
    """Tokens each window is computed with: its own, filled up to the next multiple of eight.

    A width that depends on nothing but the window: so do its gradient and what that costs.
    """
    steps = -(-np.asarray(lengths, dtype=np.int64) // WIDTH_STEP)
    return np.minimum(steps * WIDTH_STEP, longest)


def step_parts(lengths: np.ndarray, longest: int) -> Iterator[tuple[np.ndarray, int]]:
    """Give the places of the windows of a step that are computed at a time, and how wide.

    As wide as the widest of them, which is at most about twice as wide as any other: few passes,
    and the longest row takes no more memory than a short one.
    """
    widths = padded_widths(lengths, longest)
    for some in length_batches(widths, BATCH_TOKENS, shortest_share=_SHORTEST_SHARE):
        yield some, int(widths[some[0]])


def stack(windows: Sequence[Window], width: int, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Fill windows up on the right to `width`: ids and what follows, int64 of shape (n, width).

    Padding needs no mask: causal attention never looks right, and nothing is predicted there.
    """
    ids = pad_right([window.ids for window in windows], 0, width)
    following = pad_right([window.following for window in windows], IGNORED_LABEL, width)
    return ids.to(device), following.to(device)
