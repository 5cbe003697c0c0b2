"""A pool's embedder as its readers use it: loaded, and with what it says about its work."""

from typing import Any

from resources.device import Device
from resources.store.artifacts import Artifact
from selection.config.embedders import EmbedderSpec
from selection.embedding.embedder import Embedder, Encoded, load_embedder
from selection.embedding.shards import EncodedShards


def load_on(device: Device, embedder: Artifact) -> Embedder:
    """Load a pool's embedder to run on a device, in the precision that it prefers there."""
    return load_embedder(embedder.path("embedder"), device=device.name)


def tuning_flops_of(embedder: Artifact, spec: EmbedderSpec) -> float:
    """FLOPs that went into tuning an embedder on its study's target; 0 for one that is not."""
    return 0.0 if spec.tuning is None else float(embedder.json("tuning.json")["flops"])


def embedding_facts(model: Embedder, encoded: Encoded | EncodedShards) -> dict[str, Any]:
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
