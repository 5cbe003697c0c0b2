"""How rows fill sequences: texts laid end to end in blocks, a conversation one to itself.

A block has no padding, and its rows see those before them, as in pre-training, unless they are laid
apart: then each row's places count from 0, by which transformers tells the rows of a block from
each other (`position_ids`). A conversation never meets another row: it is filled up to one of few
widths, so that those of one width make a batch without any more padding, and what it costs depends
on nothing but itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Packing = Literal["joined", "isolated"]
"""Whether texts of a block see those before them."""

IGNORED_LABEL = -100  # what torch's cross-entropy leaves out


@dataclass(frozen=True)
class PackedBlocks:
    """Packed rows.

    Attributes
    ----------
    ids : ndarray of shape (n_blocks, block_size), int32
        Token ids; only the last block's tail is padding.
    labels : ndarray of shape (n_blocks, block_size), int32
        `ids` with -100 on padding (unshifted, as transformers expects), and where rows are laid
        apart on the first token of each.
    n_tokens : int
        Real tokens; the rest of ``ids.size`` is padding.
    places : ndarray of shape (n_blocks, block_size), int32, or None
        Where rows are laid apart, the place of each token in its row's part of the block.
    """

    ids: np.ndarray
    labels: np.ndarray
    n_tokens: int
    places: np.ndarray | None = None


def pack(
    token_lists: Iterable[Sequence[int]],
    *,
    block_size: int,
    eos_id: int,
    pad_id: int,
    apart: bool = False,
) -> PackedBlocks:
    """Join the rows in order, each closed by `eos_id`, and cut into blocks.

    No token is dropped: a row may run over into the next block, the last block is padded.

    Parameters
    ----------
    apart : whether rows of a block are not to see each other.

    Raises
    ------
    ValueError
        For a block size under 2 (nothing to predict) or no row at all.
    """
    if block_size < 2:
        raise ValueError(f"block_size must be >= 2, got {block_size}")
    parts = [np.asarray([*tokens, eos_id], dtype=np.int32) for tokens in token_lists]
    if not parts:
        raise ValueError("there is no row to pack")
    stream = np.concatenate(parts)
    n_padding = -len(stream) % block_size
    ids = np.pad(stream, (0, n_padding), constant_values=pad_id).reshape(-1, block_size)
    labels = np.pad(stream, (0, n_padding), constant_values=IGNORED_LABEL).reshape(-1, block_size)
    places = _places([len(part) for part in parts], ids.shape) if apart else None
    if places is not None:  # nothing of a row tells how it begins
        labels[places == 0] = IGNORED_LABEL
    return PackedBlocks(ids=ids, labels=labels, n_tokens=len(stream), places=places)


def _places(lengths: Sequence[int], shape: tuple[int, ...]) -> np.ndarray:
    """Count from 0 at the beginning of each row and of each block; padding goes on counting."""
    total = int(np.prod(shape))
    starts = np.zeros(total, dtype=np.int32)
    begins = np.cumsum([0, *lengths])
    begins = np.union1d(begins[begins < total], np.arange(0, total, shape[1]))
    starts[begins] = begins
    places = np.arange(total) - np.maximum.accumulate(starts)
    return places.reshape(shape).astype(np.int32)


@dataclass(frozen=True)
class PaddedRows:
    """Rows of several widths, of which those of one width are trained on together.

    Attributes
    ----------
    rows : list of (ids, labels)
        int32 arrays as wide as they are computed, padding included; labels are -100 on it and
        where nothing is trained on.
    lengths : ndarray of shape (n_rows,), int64
        Real tokens of each.
    places : list of ndarray, or None
        As of `PackedBlocks`, where rows of its blocks are laid apart.
    """

    rows: list[tuple[np.ndarray, np.ndarray]]
    lengths: np.ndarray
    places: list[np.ndarray] | None = None


def padded_widths(lengths: np.ndarray, longest: int) -> np.ndarray:
    """Tokens that conversations of these lengths are computed on, int64.

    Four widths an octave: the next multiple of a quarter of the power of two below, which is at
    most a fourth more and a ninth on average; never more than `longest`.
    """
    tokens = np.asarray(lengths, dtype=np.int64)
    step = 2 ** np.maximum(np.floor(np.log2(np.maximum(tokens, 1))).astype(np.int64) - 2, 0)
    return np.minimum(-(-tokens // step) * step, longest)


def fill_rows(
    blocks: PackedBlocks | None,
    chats: Sequence[tuple[Sequence[int], Sequence[int]]],
    *,
    longest: int,
    pad_id: int,
) -> PaddedRows:
    """Join blocks of texts and conversations into one set of rows.

    Parameters
    ----------
    blocks : of the texts, if there are any; the padding of the last one is taken off again, so that
        all of it together is what its tokens are.
    chats : (ids, loss_mask) of each conversation.
    """
    rows, lengths = [], []
    if blocks is not None:
        left = blocks.n_tokens
        for ids, labels in zip(blocks.ids, blocks.labels, strict=True):
            rows.append((ids[:left], labels[:left].copy()))
            lengths.append(min(left, len(ids)))
            left -= len(ids)
    widths = padded_widths(np.array([len(ids) for ids, _ in chats]), longest)
    for (ids, mask), width in zip(chats, widths, strict=True):
        filled = np.full(width, pad_id, dtype=np.int32)
        labels = np.full(width, IGNORED_LABEL, dtype=np.int32)
        filled[: len(ids)] = ids
        labels[: len(ids)] = np.where(np.asarray(mask, dtype=bool), ids, IGNORED_LABEL)
        rows.append((filled, labels))
        lengths.append(len(ids))
    places = None
    if blocks is not None and blocks.places is not None:
        of_blocks = [part[: len(ids)] for part, (ids, _) in zip(blocks.places, rows, strict=False)]
        places = of_blocks + [np.arange(width, dtype=np.int32) for width in widths]
    return PaddedRows(rows, np.array(lengths, dtype=np.int64), places)
