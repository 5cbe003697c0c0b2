"""The base model of a study: its shape, and what a tiny one is pre-trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

import numpy as np

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


def general_sample(base: TinyBase, pool: Callable[[], Iterable[Rows]]) -> GeneralSample:
    """Draw rows uniformly, by a hash of each, until the asked words are reached.

    Parameters
    ----------
    pool : gives rows source by source; called twice, since texts are read of what is drawn alone.

    Raises
    ------
    ValueError
        When a source to exclude is not in the pool, or the pool has too little text.
    """
    sources: set[str] = set()
    ids, n_words, draws = [np.empty(0, "S1")], [np.empty(0, np.int64)], [np.empty(0)]
    for rows in pool():
        sources.add(rows.source)
        if rows.source not in base.exclude_sources:
            ids.append(rows.row_id.astype("S"))
            n_words.append(rows.n_words)
            draws.append(keyed_uniform(rows.row_id, seed=base.seed, purpose="general sample"))
    unknown = sorted(set(base.exclude_sources) - sources)
    if unknown:
        raise ValueError(
            f"`exclude_sources` of the model {base.name!r} names {', '.join(some_of(unknown))}; the"
            f" pool has {', '.join(some_of(sorted(sources)))}"
        )
    distinct, first = np.unique(np.concatenate(ids), return_index=True)
    words, draw = np.concatenate(n_words)[first], np.concatenate(draws)[first]
    order = np.lexsort((distinct, draw))
    so_far = np.cumsum(words[order])
    n_taken = int(np.searchsorted(so_far, base.pretraining_words)) + 1
    if n_taken > len(order):
        raise ValueError(
            f"`pretraining_words` of the model {base.name!r} is {base.pretraining_words}: the pool"
            f" has {words.sum()} without the excluded sources; lower it or add sources"
        )
    taken = [row.decode() for row in distinct[order[:n_taken]].tolist()]
    wanted, texts, given_by = frozenset(taken), dict[str, str](), set[str]()
    for rows in pool():
        if rows.source in base.exclude_sources:
            continue
        for place, row in enumerate(rows.row_id.tolist()):
            if row in wanted and row not in texts:
                texts[row] = rows.text[place]
                given_by.add(rows.source)
    return GeneralSample(taken, [texts[row] for row in taken], sorted(given_by))


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
