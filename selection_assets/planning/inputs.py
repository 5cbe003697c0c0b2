"""What a plan is made from: tokenizers, shapes, the embedder, and the counts of pool and target."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, assert_never

from resources.store.artifacts import Artifact
from selection.arms.base import general_sample
from selection.arms.target import to_examples
from selection.config.decoders import PretrainedBase, TinyBase
from selection.config.study import Study
from selection.costs import ModelShape
from selection.embedding.embedder import Embedder
from selection.models.base import load_tokenizer
from selection.models.examples import Example
from selection.models.tokenizer import count_tokens
from selection.planning.arms import PoolSize
from selection.planning.workload import pretraining_flops
from selection_assets.planning.counts import PoolCounts, count_pool, draw_texts
from selection_assets.shared.decoders import decoders_of, read_shape
from selection_assets.shared.embedders import load_on, tuning_flops_of
from selection_assets.shared.pool_rows import (
    iterate_texts,
    iterate_whole_pieces,
    read_rows,
)
from selection_assets.shared.target_rows import labels_of, steering_rows
from selection_assets.stage.step import Step


@dataclass(frozen=True)
class PlanInputs:
    """What is known of a study before anything expensive runs, read once.

    Attributes
    ----------
    step : the plan's, with its inputs.
    tokenizers, shapes : of the base model and, where there is one, the selector.
    model : the embedder, loaded.
    pool, size : the counts, and the sums that costs depend on.
    examples, labels : the target's, by split; its candidate labels.
    """

    study: Study
    step: Step
    tokenizers: Mapping[str, Any]
    shapes: Mapping[str, ModelShape]
    model: Embedder
    pool: PoolCounts
    size: PoolSize
    examples: Mapping[str, list[Example]]
    labels: list[str]

    @classmethod
    def read(cls, step: Step, study: Study) -> "PlanInputs":
        """Read tokenizers, pool and target."""
        read = {role: step.one(f"{role}_tokenizer") for role in decoders_of(study)}
        tokenizers = {role: load_tokenizer(a.path("tokenizer")) for role, a in read.items()}
        shapes = {role: read_shape(artifact) for role, artifact in read.items()}
        embedder = step.one("embedder")
        model = load_on(step.device, embedder)
        selector = (tokenizers["selector"], shapes["selector"]) if "selector" in read else None
        pool = count_pool(
            step,
            model,
            selector=selector,
            accountant=study.accountant,
            train_on=study.train_on,
            # Where selection is paid from what trains, how much trains depends on every FLOP.
            exact=any(budget.is_paid for budget in study.budgets),
        )
        target = step.one("target_examples").table("rows.parquet")
        return cls(
            study,
            step,
            tokenizers,
            shapes,
            model,
            pool,
            replace(pool.size, tuning_flops=tuning_flops_of(embedder, study.embedder)),
            {
                split: to_examples(target, split, train_on=study.train_on)
                for split in ("train", "dev", "test")
            },
            labels_of(target),
        )

    @property
    def embedder(self) -> Artifact:
        """The embedder's folder."""
        return self.step.one("embedder")

    @cached_property
    def some_texts(self) -> list[str]:
        """Rows of the pool to measure rates on; not read where all of them are known."""
        return draw_texts(self.step.inputs["raw_corpus"])

    @cached_property
    def pretraining(self) -> float:
        """FLOPs of pre-training the models that are made here."""
        total, corpus = 0.0, self.step.inputs["raw_corpus"]
        for role, decoder in decoders_of(self.study).items():
            if role == "base" and not self.study.trains:
                continue  # only its tokenizer and shape are asked for
            match decoder:
                case TinyBase():
                    texts = general_sample(decoder, lambda: iterate_whole_pieces(corpus)).texts
                    total += pretraining_flops(
                        decoder,
                        int(count_tokens(self.tokenizers[role], texts).sum()),
                        self.shapes[role],
                        self.study.accountant,
                    )
                case PretrainedBase():
                    pass  # somebody else has paid for it
                case _:
                    assert_never(decoder)
        return total

    @cached_property
    def refusals(self) -> dict[str, str]:
        """Method to why it cannot rank this pool for this target; only those that cannot."""
        target = steering_rows(self.step.one("target_examples"), None).text
        corpus = self.step.inputs["raw_corpus"]
        said = {
            name: named.method.refusal(
                target,
                iterate_texts(corpus),
                named.options,
            )
            for name, named in self.study.named_methods.items()
        }
        return {name: why for name, why in said.items() if why}

    def read_middling_source(self) -> object:
        """Read the rows of a source of middling size, as steps do."""
        rows = self.pool.rows
        middling = sorted(rows, key=rows.__getitem__)[len(rows) // 2]
        return read_rows(self.step.inputs["raw_corpus"][middling])

    def load_embedder(self) -> object:
        """Load the embedder, as steps do."""
        return load_on(self.step.device, self.embedder)
