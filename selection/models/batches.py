"""Which rows go together in a batch, in what order, and how they become one tensor."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from selection.models.packing import IGNORED_LABEL, PackedBlocks, PaddedRows

if TYPE_CHECKING:
    import torch

    from selection.models.recipe import Recipe


def training_order(n_rows: int, recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """Order in which rows are trained on, and how many each step takes.

    Fixed before training, so that a resumed run needs no sampler state and the tokens of a run are
    known before it starts.

    Returns
    -------
    order : ndarray of shape (n_seen,), int64
        Row numbers: one seeded permutation after another.
    sizes : ndarray of shape (steps,), int64
        Rows per step; sums to ``n_seen``.
    """
    rng = np.random.default_rng(recipe.seed)
    order = np.concatenate([rng.permutation(n_rows) for _ in range(recipe.epochs)])
    sizes = np.full(math.ceil(len(order) / recipe.batch_size), recipe.batch_size)
    sizes[-1] -= sizes.sum() - len(order)
    return order, sizes


def training_batches(
    widths: Sequence[int] | np.ndarray, recipe: Recipe, *, by_width: bool = False
) -> list[np.ndarray]:
    """Numbers of the rows that each step of a training takes, fixed as in `training_order`.

    Parameters
    ----------
    widths : of shape (n_rows,)
        Tokens of each row of the dataset, as given: of a packed block, its padding included.
    by_width : a step takes rows of one width only, so that none is filled up for another. Steps
        come in an order by the seed too; the last of each width may have fewer rows.
    """
    if not by_width:
        order, sizes = training_order(len(widths), recipe)
        return np.split(order, np.cumsum(sizes)[:-1])
    rng, of_row = np.random.default_rng(recipe.seed), np.asarray(widths)
    batches = []
    for _ in range(recipe.epochs):
        order = rng.permutation(len(of_row))
        of_epoch = []
        for width in np.unique(of_row):
            alike = order[of_row[order] == width]
            of_epoch += np.split(alike, range(recipe.batch_size, len(alike), recipe.batch_size))
        batches += [of_epoch[place] for place in rng.permutation(len(of_epoch))]
    return batches


def tokens_of(batches: Sequence[np.ndarray], widths: Sequence[int] | np.ndarray) -> np.ndarray:
    """Tokens of each batch, every row as wide as its widest, int64 of shape (steps,)."""
    return np.array([of_step.sum() for of_step in widths_of(batches, widths)], dtype=np.int64)


def widths_of(
    batches: Sequence[np.ndarray], widths: Sequence[int] | np.ndarray
) -> list[np.ndarray]:
    """Tokens that each row of each batch is computed on: those of the batch's widest."""
    of_row = np.asarray(widths)
    return [np.full(len(batch), int(of_row[batch].max())) for batch in batches]


def run_flops(
    widths: Sequence[int] | np.ndarray, recipe: Recipe, price: Callable[[np.ndarray], float]
) -> float:
    """FLOPs of a training, known before it starts.

    Each batch is as wide as its widest row, and the seed decides which rows meet in a batch.

    Parameters
    ----------
    widths : as for `training_batches`.
    price : FLOPs of training on rows that are computed so many tokens wide.
    """
    return sum(map(price, widths_of(training_batches(widths, recipe), widths)))


def training_rows(
    dataset: PackedBlocks | PaddedRows | Sequence[tuple[Sequence[int], Sequence[int]]],
) -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
    """Bring packed blocks, rows of several widths or (ids, loss_mask) pairs into one form.

    Returns
    -------
    rows : list of (ids, labels)
        int32 arrays; labels are -100 where nothing is predicted, as for every row's first token.
    lengths : ndarray of shape (n_rows,), int64
        Real tokens of each row.

    Raises
    ------
    ValueError
        Without rows, or naming a row with nothing to train on.
    """
    if isinstance(dataset, PackedBlocks):
        rows = list(zip(dataset.ids, dataset.labels.copy(), strict=True))
        n_blocks, size = dataset.ids.shape
        lengths = np.clip(dataset.n_tokens - size * np.arange(n_blocks), 0, size)
    elif isinstance(dataset, PaddedRows):
        rows, lengths = dataset.rows, dataset.lengths
    else:
        rows = [
            (
                np.asarray(ids, dtype=np.int32),
                np.where(np.asarray(mask, dtype=bool), ids, IGNORED_LABEL).astype(np.int32),
            )
            for ids, mask in dataset
        ]
        lengths = np.array([len(ids) for ids, _ in rows])
    if not rows:
        raise ValueError("there is nothing to train on: the dataset is empty")
    for number, (_, labels) in enumerate(rows):
        labels[0] = IGNORED_LABEL
        # Of texts, a last block may be of one token only, which nothing predicts.
        of_texts = isinstance(dataset, PackedBlocks | PaddedRows)
        if not of_texts and (labels == IGNORED_LABEL).all():
            raise ValueError(f"row {number} of the dataset has no token to train on")
    return rows, lengths


def length_batches(
    lengths: Sequence[int] | np.ndarray, batch_tokens: int, *, shortest_share: float = 0.0
) -> Iterator[np.ndarray]:
    """Index arrays, longest sequences first, of at most `batch_tokens` with padding.

    The longest go first so that a memory shortage shows at once, not at the end. A sequence that is
    shorter than that share of a batch's longest goes into the next one.
    """
    order = np.argsort(-np.asarray(lengths), kind="stable")
    falling = np.asarray(lengths)[order]
    start = 0
    while start < len(order):
        near = np.count_nonzero(falling[start:] >= shortest_share * falling[start])
        stop = start + min(near, max(1, batch_tokens // max(1, int(falling[start]))))
        yield order[start:stop]
        start = stop


def pad_right(sequences: list[Any], fill: int, width: int | None = None) -> torch.Tensor:
    """Stack sequences of ints as int64 of shape (n, width or longest), filled up on the right."""
    import torch

    width = max(map(len, sequences)) if width is None else width
    padded = np.full((len(sequences), width), fill, dtype=np.int64)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    return torch.from_numpy(padded)
