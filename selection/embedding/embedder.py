"""Turn texts into L2-normalised vectors: one small interface over two kinds of model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from selection.embedding.flops import encoder_flops

if TYPE_CHECKING:
    from model2vec import StaticModel
    from sentence_transformers import SentenceTransformer

DESCRIPTION_FILE = "embedder.json"


class Embedder(Protocol):
    """What a stage needs of an embedding model."""

    @property
    def width(self) -> int:
        """Width of the vectors."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> np.ndarray:
        """Tokens the model reads of each text, int64 of shape (n,)."""
        ...

    def encode_batch(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of a batch, float32 of shape (n, width), not yet normalised."""
        ...

    def flops(self, n_tokens: np.ndarray) -> float:
        """FLOPs of one forward pass over texts of these lengths."""
        ...


@dataclass(frozen=True)
class StaticEmbedder:
    """A `model2vec` model: a text is the mean of its tokens' fixed vectors."""

    model: StaticModel

    @property
    def width(self) -> int:
        """Width of the vectors."""
        return int(self.model.dim)

    def count_tokens(self, texts: Sequence[str]) -> np.ndarray:
        """Tokens of each text, special tokens apart; shape (n,)."""
        ids = self.model.tokenize(list(texts))
        return np.array([len(row) for row in ids], dtype=np.int64)

    def encode_batch(self, texts: Sequence[str]) -> np.ndarray:
        """Mean token vectors, shape (n, width)."""
        vectors = self.model.encode(list(texts), use_multiprocessing=False)
        return np.asarray(vectors, dtype=np.float32)

    def flops(self, n_tokens: np.ndarray) -> float:
        """One addition a token and dimension."""
        return float(n_tokens.sum()) * self.width


@dataclass(frozen=True)
class TransformerEmbedder:
    """A sentence-transformers model, run on one device."""

    model: SentenceTransformer
    max_tokens: int

    @property
    def width(self) -> int:
        """Width of the vectors."""
        width = self.model.get_embedding_dimension()
        assert width is not None
        return int(width)

    def count_tokens(self, texts: Sequence[str]) -> np.ndarray:
        """Tokens of each text after truncation, special tokens included; shape (n,)."""
        encoded = self.model.tokenizer(
            list(texts), truncation=True, max_length=self.max_tokens, padding=False
        )
        return np.array([len(ids) for ids in encoded["input_ids"]], dtype=np.int64)

    def encode_batch(self, texts: Sequence[str]) -> np.ndarray:
        """Pooled vectors, shape (n, width)."""
        return np.asarray(
            self.model.encode(list(texts), batch_size=len(texts), show_progress_bar=False),
            dtype=np.float32,
        )

    def flops(self, n_tokens: np.ndarray) -> float:
        """Detailed count of an encoder's forward pass."""
        transformer: Any = self.model[0]
        config = transformer.auto_model.config
        return encoder_flops(
            layers=config.num_hidden_layers,
            width=config.hidden_size,
            ffn_width=config.intermediate_size,
            lengths=n_tokens,
        )


@dataclass(frozen=True)
class Encoded:
    """Vectors of the texts that have one.

    Attributes
    ----------
    vectors : float16 of shape (n_kept, width), rows of norm one.
    kept : int64 of shape (n_kept,), indices of the texts that have a vector.
    n_tokens : tokens read over all texts.
    flops : of the forward passes.
    """

    vectors: np.ndarray
    kept: np.ndarray
    n_tokens: int
    flops: float


def encode(
    embedder: Embedder,
    texts: Sequence[str],
    *,
    batch_size: int = 256,
    report: Callable[[int], None] | None = None,
) -> Encoded:
    """Embed texts in batches of similar length.

    A text in which the model finds nothing it knows has the zero vector, which no cosine can
    place: it is left out of `kept`, for the caller to quarantine.

    Parameters
    ----------
    report : called with the number of texts done after each batch.

    Raises
    ------
    ValueError
        When the model returns NaN or infinite values, naming the first such text's index.
    """
    n_tokens = embedder.count_tokens(texts)
    vectors = np.zeros((len(texts), embedder.width), dtype=np.float16)
    norms = np.zeros(len(texts))
    for batch in _batches_by_length(n_tokens, batch_size):
        raw = embedder.encode_batch([texts[int(i)] for i in batch])
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
    return Encoded(vectors[kept], kept, int(n_tokens.sum()), embedder.flops(n_tokens))


def _batches_by_length(n_tokens: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """Longest first, so that a batch that does not fit in memory fails at once."""
    order = np.argsort(-n_tokens, kind="stable")
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def load_embedder(folder: Path, *, device: str = "cpu") -> Embedder:
    """Load what `build.build_embedder` wrote.

    Raises
    ------
    ValueError
        When the folder does not hold such a model.
    """
    description = folder / DESCRIPTION_FILE
    if not description.is_file():
        raise ValueError(f"{folder}: no {DESCRIPTION_FILE}; not an embedder of this pipeline")
    facts = json.loads(description.read_text(encoding="utf-8"))
    if facts["family"] == "static":
        from model2vec import StaticModel

        return StaticEmbedder(StaticModel.from_pretrained(folder / "model"))
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        str(folder / "model"),
        device=device,
        trust_remote_code=False,
        model_kwargs={"use_safetensors": True},
    )
    model.max_seq_length = facts["max_tokens"]
    return TransformerEmbedder(model, facts["max_tokens"])
