"""The base model of a study: its shape, and what a tiny one is pre-trained on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from selection.basics.brevity import some_of
from selection.basics.draws import keyed_uniform
from selection.basics.hub_ids import see_that_only_the_hub_has
from selection.config.decoders import Decoder, PretrainedBase, TinyBase
from selection.config.files import Resolve
from selection.costs import ModelShape
from selection.methods.contract.values import Rows
from selection.models.base import new_model, tiny_config
from selection.models.library_errors import named_after

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel


@dataclass(frozen=True)
class GeneralSample:
    """What a tiny base is pre-trained on.

    Attributes
    ----------
    row_id, texts : in an order by hash, so that sources are mixed.
    sources : the sources that gave rows.
    """

    row_id: list[str]
    texts: list[str]
    sources: list[str]


def general_sample(base: TinyBase, pool: Iterable[tuple[str, Rows]]) -> GeneralSample:
    """Draw rows uniformly, by a hash of each row, until the asked words are reached.

    Parameters
    ----------
    pool : name and rows of each source.

    Raises
    ------
    ValueError
        When a source to exclude is not in the pool, or the pool has too little text.
    """
    candidates: dict[str, tuple[str, str, int]] = {}
    sources: set[str] = set()
    for source, rows in pool:
        sources.add(source)
        if source in base.exclude_sources:
            continue
        for row_id, text, words in zip(rows.row_id, rows.text, rows.n_words, strict=True):
            candidates.setdefault(str(row_id), (source, text, int(words)))
    unknown = sorted(set(base.exclude_sources) - sources)
    if unknown:
        raise ValueError(
            f"`exclude_sources` of the model {base.name!r} names {', '.join(some_of(unknown))}; the"
            f" pool has {', '.join(some_of(sorted(sources)))}"
        )
    draws = keyed_uniform(candidates, seed=base.seed, purpose="general sample")
    order = [row for _, row in sorted(zip(draws, candidates, strict=True))]
    taken, words_taken = [], 0
    for row in order:
        if words_taken >= base.pretraining_words:
            break
        taken.append(row)
        words_taken += candidates[row][2]
    if words_taken < base.pretraining_words:
        raise ValueError(
            f"`pretraining_words` of the model {base.name!r} is {base.pretraining_words}: the pool"
            f" has {words_taken} without the excluded sources; lower it or add sources"
        )
    return GeneralSample(
        taken,
        [candidates[row][1] for row in taken],
        sorted({candidates[row][0] for row in taken}),
    )


def tiny_model(base: TinyBase, vocabulary: int) -> PreTrainedModel:
    """Return an untrained model of the configured shape."""
    return new_model(_tiny_config(base, vocabulary), seed=base.seed)


def base_shape(base: Decoder, vocabulary: int, resolve: Resolve) -> ModelShape:
    """Return what the accountants need to know of the base model, without its weights."""
    match base:
        case TinyBase():
            config = _tiny_config(base, vocabulary)
        case PretrainedBase():
            from transformers import AutoConfig

            source = pretrained_source(base, resolve)
            with named_after(source):
                config = AutoConfig.from_pretrained(
                    source, revision=base.revision, trust_remote_code=False
                )
        case _:
            assert_never(base)
    return ModelShape.from_config(config, sequence_length=base.sequence_length)


def _tiny_config(base: TinyBase, vocabulary: int) -> PretrainedConfig:
    return tiny_config(
        base.architecture,
        width=base.width,
        layers=base.layers,
        heads=base.heads,
        ffn_width=base.ffn_width,
        vocabulary=vocabulary,
        sequence_length=base.sequence_length,
    )


def pretrained_source(base: PretrainedBase, resolve: Resolve) -> str:
    """Return a local folder if there is one of that name, else the hub id as given."""
    local = resolve(base.model)
    if local.is_dir():
        return str(local)
    see_that_only_the_hub_has(base.model)
    return base.model
