"""Turn texts into L2-normalised vectors: one small interface over every kind of model."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from selection.embedding.batches import Batching
from selection.embedding.lanes import in_order
from selection.embedding.precision import MIN_COSINE, EmbeddingPrecision, Wanted
from selection.embedding.tokens import Tokens

DESCRIPTION_FILE = "embedder.json"

CHUNK = 512
"""Texts that are read at once and sorted by length: enough for full batches of near lengths."""

SAMPLE = 64
"""Texts whose bfloat16 vectors are compared with float32 ones, where there are many."""


class Embedder(Protocol):
    """What a stage needs of an embedding model."""

    @property
    def width(self) -> int:
        """Width of the vectors."""
        ...

    @property
    def path(self) -> str:
        """Which implementation runs, and why not the fastest one."""
        ...

    @property
    def precision(self) -> EmbeddingPrecision:
        """EmbeddingPrecision of the products; pooling and normalisation are in float32."""
        ...

    @property
    def batching(self) -> Batching:
        """How large its batches are and what their texts are padded to."""
        ...

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """Read the texts; called in a thread of its own, ahead of `embed`."""
        ...

    def embed(self, tokens: Tokens) -> np.ndarray:
        """Vectors of a batch, float32 of shape (n, width), not yet normalised."""
        ...

    def lanes(self) -> AbstractContextManager[tuple[Executor, int]]:
        """Threads for `embed`, and how many."""
        ...

    def exact(self) -> Embedder:
        """Return the same model in float32."""
        ...

    def flops(self, n_tokens: np.ndarray) -> float:
        """FLOPs of one forward pass over texts of these lengths."""
        ...


@dataclass(frozen=True)
class Encoded:
    """Vectors of the texts that have one.

    Attributes
    ----------
    vectors : float16 of shape (n_kept, width), rows of norm one.
    kept : int64 of shape (n_kept,), indices of the texts that have a vector.
    n_tokens : tokens read over all texts.
    flops : of the forward passes over them.
    seconds : from the first text to the last vector.
    min_cosine : least cosine with the float32 vector over a sample; None when all are float32.
    """

    vectors: np.ndarray
    kept: np.ndarray
    n_tokens: int
    flops: float
    seconds: float
    min_cosine: float | None


def token_lengths(embedder: Embedder, texts: Sequence[str]) -> np.ndarray:
    """Tokens the model reads of each text, int64 of shape (n,)."""
    counts = [tokens.lengths for tokens in _read_ahead(embedder, texts)]
    return np.concatenate([np.zeros(0, dtype=np.int64), *counts])


def encode(
    embedder: Embedder, texts: Sequence[str], *, report: Callable[[int], object] | None = None
) -> Encoded:
    """Embed texts in batches of similar length, reading the next ones meanwhile.

    A text in which the model finds nothing it knows has the zero vector, which no cosine can
    place: it is left out of `kept`, for the caller to quarantine.

    Parameters
    ----------
    report : called with the number of texts done after each batch.

    Raises
    ------
    ValueError
        When the model returns NaN or infinite values, naming the first such text's index, and
        when bfloat16 moves a vector further from its float32 one than `MIN_COSINE`.
    """
    started = time.monotonic()
    vectors = np.zeros((len(texts), embedder.width), dtype=np.float16)
    norms = np.zeros(len(texts))
    n_tokens = np.zeros(len(texts), dtype=np.int64)

    def batches() -> Iterator[tuple[np.ndarray, Tokens]]:
        first = 0
        for tokens in _read_ahead(embedder, texts):
            n_tokens[first : first + len(tokens.lengths)] = tokens.lengths
            for batch in embedder.batching.plan(tokens.lengths):
                yield first + batch, tokens.take(batch)
            first += len(tokens.lengths)

    def embed(batch: tuple[np.ndarray, Tokens]) -> tuple[np.ndarray, np.ndarray]:
        return batch[0], embedder.embed(batch[1])

    with embedder.lanes() as (pool, lanes):
        for batch, raw in in_order(pool, embed, batches(), ahead=2 * lanes):
            finite = np.isfinite(raw).all(axis=1)
            if not finite.all():
                bad = int(batch[int(np.argmin(finite))])
                raise ValueError(f"the embedder gave NaN or infinite values for text {bad}")
            norms[batch] = np.linalg.norm(raw, axis=1)
            safe_norms = np.where(norms[batch] > 0, norms[batch], 1.0)
            vectors[batch] = (raw / safe_norms[:, None]).astype(np.float16)
            if report is not None:
                report(len(batch))
    kept = np.flatnonzero(norms > 0)
    min_cosine = None
    if embedder.precision != "float32" and len(kept):
        sample = _sample(kept, n_tokens)
        min_cosine = _min_cosine(embedder, [texts[int(i)] for i in sample], vectors[sample])
    return Encoded(
        vectors[kept],
        kept,
        int(n_tokens.sum()),
        embedder.flops(n_tokens),
        time.monotonic() - started,
        min_cosine,
    )


def _read_ahead(embedder: Embedder, texts: Sequence[str]) -> Iterator[Tokens]:
    """Read chunk after chunk in a thread, one chunk ahead of who takes them."""
    chunks = (texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK))
    with ThreadPoolExecutor(1, thread_name_prefix="tokens") as reader:
        yield from in_order(reader, embedder.tokenize, chunks, ahead=2)


def _sample(kept: np.ndarray, n_tokens: np.ndarray) -> np.ndarray:
    """Pick texts by quantiles of length: one in 128, at least 8 and at most `SAMPLE`."""
    by_length = kept[np.argsort(n_tokens[kept], kind="stable")]
    size = min(SAMPLE, max(8, len(kept) // 128), len(kept))
    return by_length[np.linspace(0, len(kept) - 1, size).round().astype(np.int64)]


def _min_cosine(embedder: Embedder, texts: list[str], vectors: np.ndarray) -> float:
    exact = encode(embedder.exact(), texts).vectors.astype(np.float64)
    ours = vectors.astype(np.float64)
    norms = np.linalg.norm(exact, axis=1) * np.linalg.norm(ours, axis=1)
    least = float(((exact * ours).sum(axis=1) / norms).min())
    if least < MIN_COSINE:
        raise ValueError(
            f"{embedder.precision} moves a vector of this embedder to a cosine of {least:.5f} with"
            f" its float32 one, below {MIN_COSINE}: set the embedding precision to `float32`"
        )
    return least


def load_embedder(folder: Path, *, device: str = "cpu", precision: Wanted = "auto") -> Embedder:
    """Load what `build.write_embedder` wrote.

    Parameters
    ----------
    precision : `auto` is bfloat16 where the processor multiplies in it and the model gains by it.

    Raises
    ------
    ValueError
        When the folder does not hold such a model, or cannot run in that precision.
    """
    description = folder / DESCRIPTION_FILE
    if not description.is_file():
        raise ValueError(f"{folder}: no {DESCRIPTION_FILE}; not an embedder of this pipeline")
    facts = json.loads(description.read_text(encoding="utf-8"))
    match facts["family"]:
        case "static":
            from selection.embedding.static import StaticEmbedder

            return StaticEmbedder.load(folder / "model", precision)
        case "transformer":
            from selection.embedding.transformer import load_transformer

            return load_transformer(
                folder / "model", facts["max_tokens"], device=device, precision=precision
            )
        case family:
            raise ValueError(
                f"{description}: no family of embedders {family!r}; known: static, transformer"
            )
