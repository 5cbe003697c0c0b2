"""Rows as the selector reads them, and how wide they are computed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from selection.models.batches import pad_right
from selection.models.examples import Example, render
from selection.models.packing import IGNORED_LABEL

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

WIDTH_STEP = 8


@dataclass(frozen=True)
class TokenRow:
    """One row's ids, and labels that are `IGNORED_LABEL` where nothing is predicted: (l,) int."""

    ids: np.ndarray
    labels: np.ndarray


def token_rows(
    examples: Iterable[Example], tokenizer: PreTrainedTokenizerBase, longest: int
) -> list[TokenRow]:
    """Render examples, each cut at `longest` tokens.

    Raises
    ------
    ValueError
        As `selection.models.examples.render`.
    """
    rows = []
    for example in examples:
        ids, mask = render(example, tokenizer, longest)
        ids = np.asarray(ids, dtype=np.int64)
        rows.append(TokenRow(ids, np.where(mask, ids, IGNORED_LABEL)))
    return rows


def lengths_of(rows: Sequence[TokenRow]) -> np.ndarray:
    """Tokens of each row, int64 of shape (n,)."""
    return np.array([len(row.ids) for row in rows], dtype=np.int64)


def padded_widths(lengths: np.ndarray, longest: int) -> np.ndarray:
    """Tokens each row is computed with: its own, filled up to the next multiple of eight.

    A width that depends on nothing but the row: so do its gradient and what that costs.
    """
    steps = -(-np.asarray(lengths, dtype=np.int64) // WIDTH_STEP)
    return np.minimum(steps * WIDTH_STEP, longest)


def stack(rows: Sequence[TokenRow], width: int, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Fill rows up on the right to `width`: ids and labels, int64 of shape (n, width).

    Padding needs no mask: causal attention never looks right, and nothing is predicted there.
    """
    ids = pad_right([row.ids for row in rows], 0, width)
    labels = pad_right([row.labels for row in rows], IGNORED_LABEL, width)
    return ids.to(device), labels.to(device)
