"""How fast this device does the work of a study, each kind measured once and remembered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from resources.artifacts import Artifact
from resources.device import Device
from resources.project import resolve
from resources.throughput import Throughput
from resources.workspace import Workspace
from selection.arms.base import pretrained_source
from selection.budget.meter import Meter
from selection.config.decoders import TinyBase
from selection.config.study import Study
from selection.costs import ModelShape
from selection.embedding.embedder import Embedder
from selection.embedding.estimate import estimate_flops
from selection.forecast.embedding import probe_embedding
from selection.forecast.evaluation import probe_evaluation
from selection.forecast.measuring import Probed, probe_seconds
from selection.forecast.picture import probe_picture
from selection.forecast.rates import Rate
from selection.forecast.steps import ARITHMETIC, fit_rate, score_rate
from selection.forecast.training import probe_fine_tuning, probe_training, write_untrained
from selection.forecast.transport import (
    probe_arithmetic,
    probe_distances,
    probe_scoring,
    probe_solve,
)
from selection.methods.ot import OtOptions
from selection.models.base import load_model, save_checkpoint
from selection.models.examples import Example
from selection_assets.draft import emptied
from selection_assets.expected import Expected


@dataclass
class RateProbe:
    """Measures the rates of one study, charging the meter for what is measured now.

    Attributes
    ----------
    texts : some rows of the pool, in no order of length.
    read_source : reads the rows of a source of middling size.
    load_embedder : loads the embedder.
    examples : the target's splits.
    work : folder for what is written on the way.
    """

    study: Study
    throughput: Throughput
    device: Device
    meter: Meter
    shape: ModelShape
    tokenizer: Any
    embedder: Embedder
    embedder_version: str
    texts: Sequence[str]
    read_source: Callable[[], object]
    load_embedder: Callable[[], object]
    examples: Mapping[str, Sequence[Example]]
    labels: Sequence[str]
    work: Path

    def all(self) -> dict[str, Rate]:
        """Every rate that the study's steps name, by kind."""
        study, device = self.study, self.device.name
        width, n_target = self.embedder.width, len(self.examples["dev"])
        sizes = {"width": width, "n_target": n_target}
        common = {"shape": self.shape, "accountant": study.accountant, "device": device}
        model = _model_key(study, self.device)
        warm_up = study.warm_up.recipe(seed=study.seeds[0], precision=self.device.dtype)
        tuning = study.fine_tuning.recipe(seed=study.seeds[0], precision=self.device.dtype)
        rates = {
            "embedding": self._rate(
                "embedding",
                embedding_key(self.embedder, self.embedder_version),
                lambda: probe_embedding(self.embedder, self.texts),
            ),
            "loading": self._rate(
                "loading",
                embedding_key(self.embedder, self.embedder_version),
                lambda: probe_seconds(self.load_embedder),
            ),
            "reading": self._rate(
                "reading", {"pool": study.pool}, lambda: probe_seconds(self.read_source)
            ),
            "training": self._rate(
                "training",
                _training_key(study, self.device),
                lambda: probe_training(self._base(), self.texts, warm_up, work=self.work, **common),
            ),
            "fine_tuning": self._rate(
                "fine_tuning",
                model | {"recipe": study.fine_tuning.model_dump(mode="json")},
                lambda: probe_fine_tuning(
                    self._base(), self.examples["train"], tuning, work=self.work, **common
                ),
            ),
            "evaluation": self._rate(
                "evaluation",
                model,
                lambda: probe_evaluation(
                    self._base(), self.examples["test"], self.labels, **common
                ),
            ),
            "distances": self._rate(
                "distances",
                sizes | {"n_rows": study.evaluation.distance_rows},
                lambda: probe_distances(n_rows=study.evaluation.distance_rows, **sizes),
            ),
            "picture": self._rate("picture", {}, probe_picture),
            ARITHMETIC: self._rate(ARITHMETIC, {}, probe_arithmetic),
        }
        for named in study.named_methods.values():
            key = sizes | {"options": named.options.model_dump(mode="json")}
            probes = {score_rate(named): partial(probe_scoring, named, device=device, **sizes)}
            if isinstance(named.options, OtOptions):
                solve = partial(probe_solve, named.options, device=device, **sizes)
                probes[fit_rate(named)] = solve
            for kind in probes.keys() - rates.keys():
                rates[kind] = self._rate(kind, key, probes[kind])
        return rates

    def _rate(self, kind: str, key: Mapping[str, Any], measure: Callable[[], Probed]) -> Rate:
        before = self.throughput.flops_spent
        rate = self.throughput.rate(kind, key, measure)
        self.meter.charge(self.throughput.flops_spent - before)
        return rate

    def _base(self) -> Path:
        """A folder with a model of the base's shape, written when the first probe needs it."""
        folder = self.work / "base"
        if not folder.is_dir():
            base = self.study.base_model
            emptied(folder)
            if isinstance(base, TinyBase):
                write_untrained(base, self.tokenizer, folder)
            else:
                model = load_model(pretrained_source(base, resolve), revision=base.revision)
                save_checkpoint(model, self.tokenizer, folder)
        return folder


def _model_key(study: Study, device: Device) -> dict[str, Any]:
    """What the rates of a study's model depend on, the device apart."""
    return {
        "base": study.base_model.model_dump(mode="json"),
        "accountant": study.accountant,
        "precision": device.dtype,
        "target": study.target.model_dump(mode="json"),
    }


def _training_key(study: Study, device: Device) -> dict[str, Any]:
    return _model_key(study, device) | {"recipe": study.warm_up.model_dump(mode="json")}


def expected_pretraining(
    users: Sequence[Study], flops: float, workspace: Workspace, device: Device
) -> Expected:
    """What pre-training a base model will take, at the rate at which a plan saw it train."""
    throughput = workspace.throughput(device.model_name)
    for study in users:
        rate = throughput.known("training", _training_key(study, device))
        if rate is not None:
            return Expected(flops, rate.seconds(flops))
    return Expected(flops)


def embedding_key(model: Embedder, version: str) -> dict[str, str]:
    """What the rate of an embedder depends on, the device apart."""
    return {"embedder": version, "precision": model.precision}


def expected_embedding(
    model: Embedder,
    embedder: Artifact,
    texts: Sequence[str],
    workspace: Workspace,
    device: Device,
) -> Expected:
    """What embedding these texts will take; its seconds only if a plan has measured the rate."""
    flops = estimate_flops(model, texts)
    key = embedding_key(model, embedder.version)
    throughput = workspace.throughput(device.model_name)
    embedding, loading = throughput.known("embedding", key), throughput.known("loading", key)
    if embedding is None or loading is None:
        return Expected(flops)
    return Expected(flops, loading.seconds(0.0) + embedding.seconds(flops))
