"""embedder: the embedding model as a folder of safetensors, made once for a pool."""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from resources.device import Device
from resources.project import resolve
from selection.config.study import Embedder, Study
from selection.embedding.build import build_embedder as build
from selection.embedding.build import distillation_flops
from selection.embedding.embedder import load_embedder
from selection_assets.draft import Draft, emptied
from selection_assets.expected import Expected
from selection_assets.keys import embedder_key
from selection_assets.local_models import local_model_version
from selection_assets.stage import Stage, stage


def build_embedder(pool: str, spec: Embedder, users: Sequence[Study]) -> Stage:
    """Build the asset for one embedder of a pool, and for the studies that use it."""

    @stage(
        key=embedder_key(pool, spec.name, "embedder"),
        campaign=pool,
        parameters={"model": spec.model},
        outside=lambda _: local_model_version(spec.model),
        costly=True,
        expects=lambda: Expected(distillation_flops(spec)),
        payers=users,
        kinds={"pytorch"},
    )
    def embedder(context: dg.AssetExecutionContext, device: Device, work: Path) -> Draft:
        """Fetch or distil the model; the folder's hash is its fingerprint."""
        folder = emptied(work / "embedder")
        flops = build(spec, folder, resolve=resolve, device=device.name)
        width = load_embedder(folder).width
        return Draft(
            files={"embedder": folder},
            rows=1,
            flops=flops,
            accountant="detailed",
            facts={"model": spec.model.model_dump_json(), "width": width},
        )

    return embedder
