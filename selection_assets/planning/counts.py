"""Count what the plan needs to know of pool and target: rows, tokens, FLOPs of embedding them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from resources.store.artifacts import Artifact
from selection.basics.draws import keyed_uniform
from selection.costs import ModelShape
from selection.embedding.embedder import Embedder, token_lengths
from selection.methods.contract.preparation import SelectorSize
from selection.models.examples import plain_lengths, rendered_lengths
from selection.models.tokenizer import count_tokens
from selection.planning.arms import PoolSize
from selection_assets.shared.pool_rows import iterate_sources
from selection_assets.shared.preparation_work import dev_examples

PROBE_ROWS = 4096
"""Rows of the pool that rates are measured on, at most."""


@dataclass(frozen=True)
class PoolCounts:
    """The pool as the base model and the embedder read it.

    Attributes
    ----------
    tokens : source, row_id and n_tokens of the base model, of every row.
    size : the sums.
    rows : source to its rows.
    some_texts : rows drawn by a hash of each, for measuring rates.
    """

    tokens: pa.Table
    size: PoolSize
    rows: dict[str, int]
    some_texts: list[str]


def count_pool(
    raw_corpus: Mapping[str, Artifact],
    target_examples: Artifact,
    tokenizer: Any,
    model: Embedder,
    *,
    selector: tuple[Any, ModelShape] | None,
    accountant: str,
    contrast_examples: Artifact | None = None,
) -> PoolCounts:
    """Read the pool once.

    Parameters
    ----------
    selector : tokenizer and shape of the selector model, if there is one.
    accountant : of the selector's passes.
    """
    counts, embedding_flops = [], 0.0
    lengths: list[np.ndarray] = []
    rows: dict[str, int] = {}
    drawn: list[tuple[float, str]] = []
    for source, of_source in iterate_sources(raw_corpus):
        rows[source] = len(of_source.row_id)
        counts.append(
            pa.table(
                {
                    "source": [source] * rows[source],
                    "row_id": of_source.row_id,
                    "n_tokens": count_tokens(tokenizer, of_source.text),
                }
            )
        )
        if selector is not None:
            its_tokenizer, its_shape = selector
            longest = its_shape.sequence_length
            lengths.append(plain_lengths(of_source.text, its_tokenizer, longest))
        embedding_flops += model.flops(token_lengths(model, of_source.text))
        draws = keyed_uniform(of_source.row_id, seed=0, purpose="probe")
        least = np.argsort(draws, kind="stable")[:PROBE_ROWS].tolist()
        probes = [(float(draws[i]), str(of_source.text[i])) for i in least]
        drawn = sorted([*drawn, *probes])[:PROBE_ROWS]
    tokens = pa.concat_tables(counts)
    target_rows, target_flops = _steering(target_examples, model)
    contrast_rows, contrast_flops = (0, 0.0)
    if contrast_examples is not None:
        contrast_rows, contrast_flops = _steering(contrast_examples, model)
    size = PoolSize(
        rows=tokens.num_rows,
        tokens=int(tokens["n_tokens"].to_numpy().sum()),
        target_rows=target_rows,
        embedding_flops=embedding_flops,
        target_embedding_flops=target_flops,
        width=model.width,
        selector=None
        if selector is None
        else SelectorSize(
            selector[1],
            accountant,
            np.concatenate(lengths),
            rendered_lengths(
                dev_examples(target_examples), selector[0], selector[1].sequence_length
            ),
        ),
        sources=len(rows),
        contrast_rows=contrast_rows,
        contrast_embedding_flops=contrast_flops,
    )
    return PoolCounts(tokens, size, rows, [text for _, text in drawn])


def _steering(examples: Artifact, model: Embedder) -> tuple[int, float]:
    """Rows of the split that steers, and FLOPs of embedding all splits."""
    table = examples.table("rows.parquet", ["split", "text"])
    flops = model.flops(token_lengths(model, table["text"].to_pylist()))
    return table["split"].to_pylist().count("dev"), flops
