"""Embed shard after shard, each kept on disk, so that a killed run loses at most one."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from selection.basics.whole_files import write_whole
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
        As `encode` does, and when a shard on disk cannot be read.
    BudgetExhausted
        When the meter stops it; the shards before are kept.
    """
    shards, resumed_flops = [], 0.0
    for start in range(0, len(texts), size):
        part = texts[start : start + size]
        file = folder / f"{_key(embedder, part, version)}.npz"
        if file.is_file():
            shards.append(_read(file))
            resumed_flops += shards[-1].flops
            if report is not None:
                report(len(part))
        else:
            shards.append(encode(embedder, part, report=report))
            _write(file, shards[-1])
            meter.charge(shards[-1].flops)
    return replace(_joined(shards, embedder.width, size), resumed_flops=resumed_flops)


def _key(embedder: Embedder, texts: Sequence[str], version: str) -> str:
    """Hash of everything that a shard's vectors depend on."""
    digest = hashlib.sha256()
    for value in (version, embedder.precision, embedder.path, *texts):
        encoded = value.encode()
        digest.update(len(encoded).to_bytes(8, "little"))  # so that no two lists read the same
        digest.update(encoded)
    return digest.hexdigest()[:32]


def _write(file: Path, shard: Encoded) -> None:
    values = asdict(shard)
    del values["resumed_flops"]  # it tells one run from another, not what is in the shard
    if shard.min_cosine is None:
        del values["min_cosine"]
    write_whole(file, lambda content: np.savez(content, **values))


def _read(file: Path) -> Encoded:
    try:
        with np.load(file, allow_pickle=False) as found:
            return Encoded(
                found["vectors"],
                found["kept"],
                int(found["n_tokens"]),
                float(found["flops"]),
                float(found["seconds"]),
                float(found["min_cosine"]) if "min_cosine" in found else None,
            )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{file}: not a shard of embeddings ({error}); delete it to embed its texts again"
        ) from error


def _joined(shards: list[Encoded], width: int, size: int) -> Encoded:
    cosines = [shard.min_cosine for shard in shards if shard.min_cosine is not None]
    return Encoded(
        np.concatenate([np.zeros((0, width), np.float16), *(s.vectors for s in shards)]),
        np.concatenate([np.zeros(0, np.int64), *(s.kept + i * size for i, s in enumerate(shards))]),
        sum(shard.n_tokens for shard in shards),
        sum(shard.flops for shard in shards),
        sum(shard.seconds for shard in shards),
        min(cosines, default=None),
    )
