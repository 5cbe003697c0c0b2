"""Embed shard after shard, each kept on disk, so that a killed run loses at most one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selection.basics.blocks import FLOPS, Block, BlockStore, Charge, each_block, stretches
from selection.basics.engine import HERE, Engine
from selection.budget.meter import UNMETERED, Meter
from selection.embedding.embedder import Embedder, encode

SHARD = 8192
"""Texts in a shard: half a minute of two cores with a small model."""


@dataclass(frozen=True)
class EncodedShards:
    """What embedding took, whoever did it.

    Attributes
    ----------
    n_tokens, flops, min_cosine : of all texts, as in `Encoded`.
    resumed_flops : part of the FLOPs that an earlier, interrupted run has computed.
    seconds : of each shard where it was embedded, now or earlier.
    """

    n_tokens: int
    flops: float
    resumed_flops: float
    seconds: float
    min_cosine: float | None


def encode_in_shards(
    embedder: Embedder,
    texts: Sequence[str],
    *,
    version: str,
    folder: Path,
    take: Callable[[np.ndarray, np.ndarray], object],
    size: int = SHARD,
    report: Callable[[int], object] | None = None,
    meter: Meter = UNMETERED,
    engine: Engine = HERE,
) -> EncodedShards:
    """Embed texts as `encode` does; a shard that `folder` already holds is read, not embedded.

    Parameters
    ----------
    version : of the embedding model.
    folder : where shards are kept; the caller removes it when their vectors are published.
    take : receives of each shard, in order, the vectors of the texts that have one, float16 of
        shape (n_kept, width), and which texts those are, bool of shape (n,).
    size : texts in a shard.
    report : called with the number of texts done after each batch.
    meter : charged for each shard that is embedded here: its FLOPs are known when it is done.
    engine : embeds shards; where other processes do, each gets the model.

    Raises
    ------
    ValueError
        As `encode` does, and when a shard on disk is damaged.
    BudgetExhausted
        When the meter stops it; the shards before are kept.
    """
    step_by_step = report if engine.here else None

    def embed(part: Sequence[str], charge: Charge) -> Block:
        shard = encode(embedder, part, report=step_by_step)
        charge(shard.flops)
        has_vector = np.zeros(len(part), dtype=bool)
        has_vector[shard.kept] = True
        return {
            "vectors": shard.vectors,
            "has_vector": has_vector,
            "n_tokens": np.array([shard.n_tokens]),
            "seconds": np.array([shard.seconds]),
            "min_cosine": np.array([] if shard.min_cosine is None else [shard.min_cosine]),
        }

    def done(part: Sequence[str], resumed: bool) -> None:
        if report is not None and (resumed or step_by_step is None):
            report(len(part))

    n_tokens, flops, resumed_flops, seconds = 0, 0.0, 0.0, 0.0
    cosines: list[float] = []
    for _, shard, resumed in each_block(
        BlockStore(folder, (version, embedder.precision, embedder.path)),
        (list(texts[some]) for some in stretches(len(texts), size)),
        lambda part: part,
        embed,
        charge=meter.charge,
        done=done,
        engine=engine,
    ):
        take(shard["vectors"], shard["has_vector"])
        n_tokens += int(shard["n_tokens"][0])
        seconds += float(shard["seconds"][0])
        flops += float(shard[FLOPS][0])
        resumed_flops += float(shard[FLOPS][0]) if resumed else 0.0
        cosines += shard["min_cosine"].tolist()
    return EncodedShards(n_tokens, flops, resumed_flops, seconds, min(cosines, default=None))
