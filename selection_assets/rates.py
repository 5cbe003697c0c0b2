"""How fast this device does the work of a study, each kind measured once and remembered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.artifacts import Artifact
from resources.device import Device
from resources.project import resolve
from resources.throughput import Throughput
from resources.workspace import Workspace
from selection.arms.base import pretrained_source
from selection.budget.meter import Meter
from selection.config.study import Study, TinyBase
from selection.costs import ModelShape
from selection.embedding.embedder import Embedder
from selection.embedding.estimate import estimate_flops
from selection.forecast.embedding import probe_embedding
from selection.forecast.evaluation import probe_evaluation
from selection.forecast.measuring import Probed, probe_seconds
from selection.forecast.picture import probe_picture
from selection.forecast.rates import Rate
from selection.forecast.training import probe_fine_tuning, probe_training, write_untrained
from selection.forecast.transport import probe_distances, probe_scoring, probe_solve
from selection.methods import REGISTRY
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
        model = {
            "base": study.base_model.model_dump(mode="json"),
            "accountant": study.accountant,
            "precision": self.device.dtype,
            "target": study.target.model_dump(mode="json"),
        }
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
                model | {"recipe": study.warm_up.model_dump(mode="json")},
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
        }
        for name, options in study.methods.items():
            method = REGISTRY[name]
            key = sizes | {"options": options}
            if method.fit_asset(options) is not None:
                rates[f"fit_{name}"] = self._rate(
                    f"fit_{name}", key, lambda o=options: probe_solve(o, device=device, **sizes)
                )
            if method.needs_embeddings:
                rates[f"score_{name}"] = self._rate(
                    f"score_{name}",
                    key,
                    lambda n=name, o=options: probe_scoring(n, o, device=device, **sizes),
                )
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
