"""Decoders of a study, that which is trained and that which selects, and how to train them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from selection.config.names import Name, PartitionName, ProjectFolder, Revision, Strict
from selection.models.recipe import Recipe


class Training(Strict):
    """How one training phase is run."""

    learning_rate: float = Field(default=1e-3, gt=0)
    epochs: int = Field(default=1, ge=1)
    batch_size: int = Field(default=16, ge=1)
    weight_decay: float = Field(default=0.01, ge=0)
    warmup_ratio: float = Field(default=0.1, ge=0, lt=1)
    lora_rank: int | None = Field(
        default=None, ge=1, description="Train LoRA factors of this rank only."
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
    width: int = Field(default=128, ge=16)
    layers: int = Field(default=4, ge=1)
    heads: int = Field(default=4, ge=1)
    ffn_width: int = Field(default=344, ge=16)
    vocabulary: int = Field(default=4096, ge=300)
    sequence_length: int = Field(default=128, ge=16)
    pretraining_words: int = Field(
        default=400_000,
        ge=1_000,
        description="Size of the general sample, in `raw_corpus.n_words`.",
    )
    exclude_sources: list[PartitionName] = Field(
        default_factory=list, description="Sources like the target, kept from pre-training."
    )
    training: Training = Training(learning_rate=2e-3)
    seed: int = 0


class PretrainedBase(Strict):
    """A causal language model: a local safetensors folder, or a hub id at a pinned revision."""

    name: Name = Field(default="pretrained", description="As for a tiny one.")
    kind: Literal["pretrained"]
    model: ProjectFolder
    revision: Revision | None = None
    sequence_length: int = Field(default=512, ge=16)


Decoder = Annotated[TinyBase | PretrainedBase, Field(discriminator="kind")]
