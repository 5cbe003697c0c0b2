"""Embed shard after shard, each kept on disk, so that a killed run loses at most one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from selection.basics.blocks import Block, BlockStore, Charge, compute_in_blocks, stretches
from selection.budget.meter import UNMETERED, Meter
from selection.embedding.embedder import Embedder, Encoded, encode

SHARD = 8192
"""Texts in a shard: half a minute of two cores with a small model."""


def encode_in_shards(
    embedder: Embedder,
    texts: Sequence[str],
    *,
    version: str,
    folder: Path,
    size: int = SHARD,
    report: Callable[[int], object] | None = None,
    meter: Meter = UNMETERED,
) -> Encoded:
    """Embed texts as `encode` does; a shard that `folder` already holds is read, not embedded.

    Parameters
    ----------
    version : of the embedding model.
    folder : where shards are kept; the caller removes it when their vectors are published.
    size : texts in a shard.
    report : called with the number of texts done after each batch.
    meter : charged for each shard that is embedded here: its FLOPs are known when it is done.

    Returns
    -------
    Encoded
        Of all texts. `seconds` counts each shard where it was embedded, now or earlier.

    Raises
    ------
    ValueError
        As `encode` does, and when a shard on disk is damaged.
    BudgetExhausted
        When the meter stops it; the shards before are kept.
    """

    def embed(part: Sequence[str], charge: Charge) -> Block:
        shard = encode(embedder, part, report=report)
        charge(shard.flops)
        return _to_block(shard, len(part))

    found = compute_in_blocks(
        BlockStore(folder, (version, embedder.precision, embedder.path)),
        (list(texts[some]) for some in stretches(len(texts), size)),
        lambda part: part,
        embed,
        charge=meter.charge,
        done=lambda part, resumed: report(len(part)) if resumed and report is not None else None,
    )
    arrays = found.arrays
    return Encoded(
        arrays["vectors"],
        np.flatnonzero(arrays["has_vector"]),
        int(arrays["n_tokens"].sum()),
        found.flops,
        sum(arrays["seconds"].tolist()),
        min(arrays["min_cosine"].tolist(), default=None),
        found.resumed_flops,
    )


def _to_block(shard: Encoded, n_texts: int) -> Block:
    has_vector = np.zeros(n_texts, dtype=bool)
    has_vector[shard.kept] = True
    return {
        "vectors": shard.vectors,
        "has_vector": has_vector,
        "n_tokens": np.array([shard.n_tokens]),
        "seconds": np.array([shard.seconds]),
        "min_cosine": np.array([] if shard.min_cosine is None else [shard.min_cosine]),
    }
