"""What an asset of embeddings says about how they were computed."""

from typing import Any

from selection.embedding.embedder import Embedder, Encoded


def embedding_facts(model: Embedder, encoded: Encoded) -> dict[str, Any]:
    """Tokens, throughput, the path and precision taken, and the error of that precision."""
    facts: dict[str, Any] = {
        "tokens_embedded": encoded.n_tokens,
        "embedding_path": model.path,
        "embedding_precision": model.precision,
    }
    if encoded.n_tokens:
        facts["tokens_per_second"] = encoded.n_tokens / encoded.seconds
    if encoded.min_cosine is not None:
        facts["min_cosine_to_float32"] = encoded.min_cosine
    return facts
