"""A pool's embedder as others use it: loaded on a device, and what tuning it took."""

from resources.device import Device
from resources.store.artifacts import Artifact
from selection.config.embedders import Embedder
from selection.embedding.embedder import Embedder as LoadedEmbedder
from selection.embedding.embedder import load_embedder


def load_on(device: Device, embedder: Artifact) -> LoadedEmbedder:
    """Load a pool's embedder to run on a device, in the precision that it prefers."""
    return load_embedder(
        embedder.path("embedder"), device=device.name, precision=device.embedding_precision
    )


def tuning_flops_of(embedder: Artifact, spec: Embedder) -> float:
    """FLOPs that went into tuning an embedder on its study's target; 0 for one that is not."""
    return 0.0 if spec.tuning is None else float(embedder.json("tuning.json")["flops"])
