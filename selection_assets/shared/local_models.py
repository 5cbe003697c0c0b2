"""Versions of model folders that a study names."""

from typing import assert_never

from resources.paths import resolve, resolve_whole
from selection.config.decoders import Decoder, PretrainedBase, TinyBase
from selection.config.embedders import (
    EmbedderModel,
    MiniLM,
    SentenceTransformerModel,
    StaticMiniLM,
)
from selection.corpus.folders import configured_fingerprint


def local_model_version(spec: Decoder | EmbedderModel) -> dict[str, str]:
    """Fingerprint of the local folder that a specification names as its model, if it is one.

    A hub's model is pinned by its revision and a built-in one by its package, so that their
    specifications say it all.
    """
    match spec:
        case PretrainedBase() | SentenceTransformerModel():
            folder = resolve_whole(spec.model)
            if not folder.is_dir():
                return {}
            return {spec.model: configured_fingerprint(spec.model, resolve)}
        case TinyBase() | MiniLM() | StaticMiniLM():
            return {}
        case _:
            assert_never(spec)
