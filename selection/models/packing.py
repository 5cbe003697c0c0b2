"""Rows laid end to end in blocks of one length, so that no compute goes to padding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

IGNORED_LABEL = -100  # what torch's cross-entropy leaves out


@dataclass(frozen=True)
class PackedBlocks:
    """Packed rows.

    Attributes
    ----------
    ids : ndarray of shape (n_blocks, block_size), int32
        Token ids; only the last block's tail is padding.
    labels : ndarray of shape (n_blocks, block_size), int32
        `ids` with -100 on padding (unshifted, as transformers expects).
    n_tokens : int
        Real tokens; the rest of ``ids.size`` is padding.
    """

    ids: np.ndarray
    labels: np.ndarray
    n_tokens: int


def pack(
    token_lists: Iterable[Sequence[int]], *, block_size: int, eos_id: int, pad_id: int
) -> PackedBlocks:
    """Join the rows in order, each closed by `eos_id`, and cut into blocks.

    No token is dropped: a row may run over into the next block, the last block is padded.

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
    return PackedBlocks(ids=ids, labels=labels, n_tokens=len(stream))
