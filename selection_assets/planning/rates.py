"""How fast this device does the work of a study, each kind measured once and remembered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, assert_never

from resources.paths import resolve_whole
from resources.throughput import Throughput
from selection.arms.base import pretrained_source
from selection.config.decoders import PretrainedBase, TinyBase
from selection.models.base import load_model, save_checkpoint
from selection.planning.arithmetic import probe_arithmetic, probe_distances
from selection.planning.measuring import Probed, probe_seconds
from selection.planning.probes import (
    probe_embedding,
    probe_evaluation,
    probe_fine_tuning,
    probe_training,
    write_untrained,
)
from selection.planning.rates import ARITHMETIC, Rate
from selection_assets.planning.inputs import PlanInputs
from selection_assets.planning.known_rates import (
    embedding_key,
    model_key,
    trained_model,
    training_key,
)
from selection_assets.stage.step import emptied


@dataclass
class RateProbe:
    """Measures the rates of one study, charging the meter for what is measured now.

    Attributes
    ----------
    known : what is measured on, with the step whose meter is charged.
    """

    throughput: Throughput
    known: PlanInputs

    @cached_property
    def base(self) -> Path:
        """A folder with a model of the base's shape, written when the first probe needs it.

        Anew by every plan: a plan that was killed while it wrote leaves half a folder.
        """
        folder = emptied(self.known.step.work / "base")
        base, tokenizer = trained_model(self.known.study), self.known.tokenizers["base"]
        match base:
            case TinyBase():
                write_untrained(base, tokenizer, folder)
            case PretrainedBase():
                model = load_model(pretrained_source(base, resolve_whole), revision=base.revision)
                save_checkpoint(model, tokenizer, folder)
            case _:
                assert_never(base)
        return folder

    def all(self) -> dict[str, Rate]:
        """Every rate that the study's steps name, by kind."""
        rates = self._of_selecting()
        return rates | self._of_training() if self.known.study.trains else rates

    def _of_selecting(self) -> dict[str, Rate]:
        known = self.known
        embedding = embedding_key(known.model, known.embedder.version)
        return {
            "embedding": self._rate(
                "embedding",
                embedding,
                lambda: probe_embedding(known.model, known.some_texts),
            ),
            "loading": self._rate(
                "loading",
                embedding,
                lambda: probe_seconds(known.load_embedder),
            ),
            "reading": self._rate(
                "reading",
                {"pool": known.study.pool},
                lambda: probe_seconds(known.read_middling_source),
            ),
            ARITHMETIC: self._rate(ARITHMETIC, {}, probe_arithmetic),
        }

    def _of_training(self) -> dict[str, Rate]:
        known, study = self.known, self.known.study
        step = known.step
        device, precision = step.device.name, step.device.dtype
        examples = known.examples
        sizes = {"width": known.model.width, "n_target": len(examples["dev"])}
        shape = known.shapes["base"]
        common = {"shape": shape, "accountant": study.accountant, "device": device}
        model = model_key(study, step.device)
        warm_up = study.warm_up.recipe(seed=study.seeds[0], precision=precision)
        tuning = study.fine_tuning.recipe(seed=study.seeds[0], precision=precision)
        return {
            "training": self._rate(
                "training",
                training_key(study, step.device),
                lambda: probe_training(
                    self.base, known.some_texts, warm_up, work=step.work, **common
                ),
            ),
            "fine_tuning": self._rate(
                "fine_tuning",
                model | {"recipe": study.fine_tuning.model_dump(mode="json")},
                lambda: probe_fine_tuning(
                    self.base, examples["train"], tuning, work=step.work, **common
                ),
            ),
            "evaluation": self._rate(
                "evaluation",
                model,
                lambda: probe_evaluation(self.base, examples["test"], known.labels, **common),
            ),
            "distances": self._rate(
                "distances",
                sizes | {"n_rows": study.evaluation.distance_rows},
                lambda: probe_distances(n_rows=study.evaluation.distance_rows, **sizes),
            ),
        }

    def _rate(self, kind: str, key: Mapping[str, Any], measure: Callable[[], Probed]) -> Rate:
        before = self.throughput.flops_spent
        rate = self.throughput.rate(kind, key, measure)
        self.known.step.meter.charge(self.throughput.flops_spent - before)
        return rate
