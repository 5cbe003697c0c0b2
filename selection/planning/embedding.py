"""How long does it take to embed texts on this device, by FLOP of the embedder?"""

from __future__ import annotations

from collections.abc import Sequence

from selection.embedding.embedder import Embedder, encode
from selection.planning.measuring import Probed, probe_sizes


def probe_embedding(embedder: Embedder, texts: Sequence[str]) -> Probed:
    """Measure `encode`, the model once loaded.

    Parameters
    ----------
    texts : rows of the pool in no order of length; thousands for a static model, which takes a
        second for them, and any model reads only as many as it needs.
    """
    return probe_sizes(lambda n_texts: encode(embedder, texts[:n_texts]).flops, most=len(texts))
