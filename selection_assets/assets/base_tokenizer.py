"""base_tokenizer, selector_tokenizer: a decoder's tokenizer and shape, known before its weights."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import assert_never

from resources.paths import resolve_whole
from selection.arms.base import base_shape, general_sample, pretrained_source
from selection.config.decoders import Decoder, PretrainedBase, TinyBase
from selection.config.study import Study
from selection.models.base import load_tokenizer
from selection.models.chat_template import own_template
from selection.models.tokenizer import train_tokenizer
from selection_assets.shared.decoders import Role
from selection_assets.shared.local_models import local_model_version
from selection_assets.shared.pool_rows import iterate_whole_pieces
from selection_assets.stage.inputs import whole_pool
from selection_assets.stage.keys import decoder_key
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Draft, Step, emptied


def build_tokenizer(pool: str, decoder: Decoder, users: Sequence[Study], *, role: Role) -> Stage:
    """Build the asset for one decoder of a pool, and for the studies that use it."""
    tiny = isinstance(decoder, TinyBase)

    @stage(
        key=decoder_key(pool, decoder, f"{role}_tokenizer"),
        campaign=pool,
        ins={"raw_corpus": whole_pool(users[0])} if tiny else {},
        parameters={"model": decoder.model_dump(exclude={"training", "name"})},
        outside=lambda _: local_model_version(decoder),
        payers=users,
        kinds={"huggingface"},
    )
    def tokenizer(step: Step) -> Draft:
        """The folder `tokenizer`, and `shape.json`: what the model will cost, before it exists."""
        if isinstance(decoder, TinyBase):
            sample = general_sample(
                decoder, lambda: iterate_whole_pieces(step.inputs["raw_corpus"])
            )
            made = train_tokenizer(sample.texts, vocab_size=decoder.vocabulary)
        elif isinstance(decoder, PretrainedBase):
            made = load_tokenizer(
                pretrained_source(decoder, resolve_whole), revision=decoder.revision
            )
        else:
            assert_never(decoder)
        folder = emptied(step.work / "tokenizer")
        made.save_pretrained(folder)
        return Draft(
            files={
                "tokenizer": folder,
                "shape.json": asdict(base_shape(decoder, len(made), resolve_whole)),
            },
            rows=len(made),
            facts={
                "vocabulary": len(made),
                "chat_template": "the model's own"
                if own_template(made)
                else "none: conversations are written in plain ChatML",
            },
        )

    return tokenizer
