"""What work of the pool's will take, at the rates that some plan has measured on this device."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from resources.device import Device
from selection.config.decoders import Decoder
from selection.config.study import Study
from selection.embedding.embedder import Embedder
from selection.embedding.estimate import estimate_flops
from selection_assets.stage.step import Expected, Step


def trained_model(study: Study) -> Decoder:
    """The base model of a study that trains."""
    assert study.base_model is not None, "a study that trains and has no model is refused"
    return study.base_model


def model_key(study: Study, device: Device) -> dict[str, Any]:
    """What the rates of a study's model depend on, the device apart."""
    return {
        "base": trained_model(study).model_dump(mode="json"),
        "accountant": study.accountant,
        "precision": device.dtype,
        "target": study.target.model_dump(mode="json"),
    }


def training_key(study: Study, device: Device) -> dict[str, Any]:
    """What the rate of a study's warm-up depends on."""
    return model_key(study, device) | {"recipe": study.warm_up.model_dump(mode="json")}


def expected_pretraining(step: Step, users: Sequence[Study], flops: float) -> Expected:
    """What pre-training a base model will take, at the rate at which a plan saw it train."""
    throughput = step.workspace.throughput(step.device.model_name)
    for study in users:
        rate = throughput.known("training", training_key(study, step.device))
        if rate is not None:
            return Expected(flops, rate.seconds(flops))
    return Expected(flops)


def embedding_key(model: Embedder, version: str) -> dict[str, str]:
    """What the rate of an embedder depends on, the device apart."""
    return {"embedder": version, "precision": model.precision}


def expected_embedding(
    step: Step, model: Embedder, texts: Sequence[str], size: np.ndarray
) -> Expected:
    """What embedding these texts will take; its seconds only if a plan has measured the rate.

    Parameters
    ----------
    size : of the texts, as in `estimate_flops`.
    """
    flops = estimate_flops(model, texts, size)
    key = embedding_key(model, step.one("embedder").version)
    throughput = step.workspace.throughput(step.device.model_name)
    embedding, loading = throughput.known("embedding", key), throughput.known("loading", key)
    if embedding is None or loading is None:
        return Expected(flops)
    return Expected(flops, loading.seconds(0.0) + embedding.seconds(flops))
