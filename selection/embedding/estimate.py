"""How many FLOPs will embedding these texts take: exactly, or without reading all of them?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from selection.embedding.embedder import Embedder, token_lengths

SAMPLE_TEXTS = 1024


def count_flops(embedder: Embedder, texts: Sequence[str]) -> float:
    """Count the tokens of all texts."""
    return embedder.flops(token_lengths(embedder, texts))


def estimate_flops(embedder: Embedder, texts: Sequence[str], size: np.ndarray) -> float:
    """Count the tokens of a sample spread over all sizes, and scale by them.

    Reading a text costs a static embedder more than embedding it, so that reading all of them
    twice would double its time. With at most `SAMPLE_TEXTS` texts the result is exact.

    Parameters
    ----------
    size : of shape (n,), about how long each text is, in any unit: words, say. Ones where it is
        not known.
    """
    if len(texts) <= SAMPLE_TEXTS:
        return count_flops(embedder, texts)
    size = size.astype(np.float64) + 1.0  # also a text without a word may have tokens
    by_length = np.argsort(size, kind="stable")
    # The middle of equal shares of the texts in order of length stands for each share.
    middles = (np.arange(SAMPLE_TEXTS) + 0.5) * len(texts) / SAMPLE_TEXTS
    sample = np.sort(by_length[middles.astype(np.int64)])  # as they lie on disk
    flops = count_flops(embedder, [texts[int(i)] for i in sample])
    return float(flops * size.sum() / size[sample].sum())
