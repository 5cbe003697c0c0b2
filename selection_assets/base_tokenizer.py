"""base_tokenizer: the base model's tokenizer and shape, known before its weights are."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import dagster as dg

from resources.artifacts import Artifact
from resources.project import resolve
from selection.arms.base import base_shape, general_sample, pretrained_source
from selection.config.study import Study, TinyBase
from selection.costs import ModelShape
from selection.models.base import load_tokenizer
from selection.models.tokenizer import train_tokenizer
from selection_assets.draft import Draft, emptied
from selection_assets.inputs import whole_pool
from selection_assets.keys import study_key
from selection_assets.local_models import local_model_version
from selection_assets.pool_rows import iterate_sources
from selection_assets.stage import Stage, stage


def build_base_tokenizer(study: Study) -> Stage:
    """Build the asset for one study."""
    base = study.base_model
    tiny = isinstance(base, TinyBase)

    @stage(
        key=study_key(study, "base_tokenizer"),
        campaign=study.name,
        ins={"raw_corpus": whole_pool(study)} if tiny else {},
        parameters={"base_model": base.model_dump(exclude={"training"})},
        outside=lambda _: local_model_version(base),
        kinds={"huggingface"},
    )
    def base_tokenizer(
        context: dg.AssetExecutionContext, loaded: dict[str, Any], work: Path
    ) -> Draft:
        """The folder `tokenizer`, and `shape.json`: what the model will cost, before it exists."""
        if isinstance(base, TinyBase):
            sample = general_sample(base, iterate_sources(loaded["raw_corpus"]))
            tokenizer = train_tokenizer(sample.texts, vocab_size=base.vocabulary)
        else:
            tokenizer = load_tokenizer(pretrained_source(base, resolve), revision=base.revision)
        folder = emptied(work / "tokenizer")
        tokenizer.save_pretrained(folder)
        return Draft(
            files={
                "tokenizer": folder,
                "shape.json": asdict(base_shape(base, len(tokenizer), resolve)),
            },
            rows=len(tokenizer),
            facts={"vocabulary": len(tokenizer)},
        )

    return base_tokenizer


def read_shape(base_tokenizer: Artifact) -> ModelShape:
    """Return the base model's shape."""
    return ModelShape(**base_tokenizer.json("shape.json"))
