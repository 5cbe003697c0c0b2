"""Decoders of a study, that which is trained and that which selects, and how to train them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from selection.basics.bounds import BatchSize, Epochs, LearningRate, LoraRank, Seed
from selection.config.names import Name, PartitionName, ProjectFolder, Revision, Strict
from selection.models.recipe import Recipe

MAX_PARAMETERS = 1_000_000_000
"""Of a decoder that the pipeline pre-trains itself; with Adam's moments some 16 GB."""


class Training(Strict):
    """How one training phase is run."""

    learning_rate: LearningRate = 1e-3
    epochs: Epochs = 1
    batch_size: BatchSize = 16
    weight_decay: float = Field(default=0.01, ge=0, le=100)
    warmup_ratio: float = Field(default=0.1, ge=0, lt=1)
    lora_rank: LoraRank | None = Field(
        default=None, description="Train LoRA factors of this rank only."
    )

    def recipe(self, *, seed: int, precision: Literal["float32", "bfloat16"]) -> Recipe:
        """Return this phase for one seed."""
        return Recipe(**self.model_dump(), seed=seed, precision=precision)


class TinyBase(Strict):
    """A small decoder that the pipeline pre-trains itself on a general sample of the pool."""

    name: Name = Field(
        default="tiny", description="Names its assets, which the studies of a pool share."
    )
    kind: Literal["tiny"]
    architecture: Literal["llama", "gpt_neox"] = "llama"
    width: int = Field(default=128, ge=16, le=16_384)
    layers: int = Field(default=4, ge=1, le=256)
    heads: int = Field(default=4, ge=1, le=256)
    ffn_width: int = Field(default=344, ge=16, le=65_536)
    vocabulary: int = Field(default=4096, ge=300, le=1_000_000)
    sequence_length: int = Field(default=128, ge=16, le=131_072)
    pretraining_words: int = Field(
        default=400_000,
        ge=1_000,
        le=1_000_000_000_000,
        description="Size of the general sample, in `raw_corpus.n_words`.",
    )
    exclude_sources: list[PartitionName] = Field(
        default_factory=list,
        max_length=10_000,
        description="Sources like the target, kept from pre-training.",
    )
    training: Training = Training(learning_rate=2e-3)
    seed: Seed = 0

    @model_validator(mode="after")
    def _is_a_small_model(self) -> TinyBase:
        if self.width % (2 * self.heads):
            raise ValueError(
                f"width {self.width} must be an even multiple of heads {self.heads}, whose"
                f" positions are turned in pairs: take heads that divide {self.width // 2}, or"
                f" the width {2 * self.heads * max(1, self.width // (2 * self.heads))}"
            )
        matrices = 3 if self.architecture == "llama" else 2
        a_layer = 4 * self.width**2 + matrices * self.width * self.ffn_width
        parameters = self.layers * a_layer + self.vocabulary * self.width
        if parameters > MAX_PARAMETERS:
            raise ValueError(
                f"{parameters:,} parameters, and one that is made here has {MAX_PARAMETERS:,} at"
                " most; lower width, layers, ffn_width or vocabulary"
            )
        return self


class PretrainedBase(Strict):
    """A causal language model: a local safetensors folder, or a hub id at a pinned revision."""

    name: Name = Field(default="pretrained", description="As for a tiny one.")
    kind: Literal["pretrained"]
    model: ProjectFolder
    revision: Revision | None = None
    sequence_length: int = Field(default=512, ge=16, le=131_072)


Decoder = Annotated[TinyBase | PretrainedBase, Field(discriminator="kind")]
