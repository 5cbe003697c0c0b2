"""Count what the plan needs to know of pool and target: rows, tokens, FLOPs of embedding them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
import numpy as np

from resources.store.artifacts import Artifact
from selection.basics.draws import keyed_uniform
from selection.costs import ModelShape
from selection.embedding.embedder import Embedder
from selection.embedding.estimate import count_flops, estimate_flops
from selection.methods.contract.cost import SelectorSize
from selection.models.chat_lengths import ANSWER_CUT, TEMPLATE_REFUSES
from selection.models.chat_tokens import TrainOn
from selection.models.windows import read_lengths
from selection.planning.arms import PoolSize
from selection_assets.shared.contrast import EXAMPLES
from selection_assets.shared.counted_rows import faults_of, read_counted
from selection_assets.shared.decoders import tokens_asset
from selection_assets.shared.pool_rows import iterate_sources, sizes_looked_at
from selection_assets.shared.target_rows import dev_examples
from selection_assets.stage.keys import POOL_TOKENS
from selection_assets.stage.step import Step

PROBE_ROWS = 4096
"""Rows of the pool that rates are measured on, at most."""


@dataclass(frozen=True)
class PoolCounts:
    """The pool as the base model and the embedder read it.

    Attributes
    ----------
    size : the sums.
    rows : source to its rows.
    """

    size: PoolSize
    rows: dict[str, int]


def count_pool(
    step: Step,
    model: Embedder,
    *,
    selector: tuple[Any, ModelShape] | None,
    accountant: str,
    train_on: TrainOn,
    exact: bool,
) -> PoolCounts:
    """Read the pool once.

    Parameters
    ----------
    step : the plan's.
    selector : tokenizer and shape of the selector model, if there is one.
    accountant : of the selector's passes.
    train_on : of conversations; those without a token to train on do not count.
    exact : whether the FLOPs of embedding are counted or, from a sample, estimated: to read all
        texts takes a static embedder as long as to embed them.

    Raises
    ------
    dagster.Failure
        When no row can be trained on, with the reasons.
    """
    n_tokens, embedding_flops = 0, 0.0
    faults: Counter[str] = Counter()
    lengths: list[np.ndarray] = []
    rows: dict[str, int] = {}
    for source, of_source in iterate_sources(step.inputs["raw_corpus"]):
        corpus = step.inputs["raw_corpus"][source]
        rows[source] = len(of_source)
        row_id = of_source.row_id
        counted = read_counted(row_id, step.inputs[POOL_TOKENS][source])
        of_rows = faults_of(counted, train_on)
        faults.update(of_rows.tolist())
        n_tokens += int(counted["n_tokens"].to_numpy()[of_rows == ""].sum())
        if selector is not None:
            by_selector = read_counted(row_id, step.inputs[tokens_asset("selector")][source])
            lengths.append(by_selector["n_tokens"].to_numpy())
        embedding_flops += (
            count_flops(model, of_source.text)
            if exact
            else estimate_flops(model, of_source.text, sizes_looked_at(corpus))
        )
    if n_tokens == 0:
        raise dg.Failure(
            f"none of the pool's {faults.total():,} rows can be trained on:"
            f" {', '.join(f'{n:,} {fault}' for fault, n in faults.most_common())};"
            f" of {ANSWER_CUT} raise `base_model.sequence_length`, and for {TEMPLATE_REFUSES}"
            " `pool_tokens` says what its template refuses",
            allow_retries=False,
        )
    target_examples, contrast_examples = step.one("target_examples"), step.maybe(EXAMPLES)
    target_rows, target_flops = _steering(target_examples, model)
    contrast_rows, contrast_flops = (0, 0.0)
    if contrast_examples is not None:
        contrast_rows, contrast_flops = _steering(contrast_examples, model)
    size = PoolSize(
        rows=sum(rows.values()),
        tokens=n_tokens,
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
            read_lengths(dev_examples(target_examples), selector[0], selector[1].sequence_length),
        ),
        sources=len(rows),
        contrast_rows=contrast_rows,
        contrast_embedding_flops=contrast_flops,
    )
    return PoolCounts(size, rows)


def draw_texts(corpus: Mapping[str, Artifact]) -> list[str]:
    """Draw rows of the pool by a hash of each, for measuring rates on their texts."""
    drawn: list[tuple[float, str]] = []
    for _, of_source in iterate_sources(corpus):
        draws = np.concatenate(
            [keyed_uniform(rows.row_id, seed=0, purpose="probe") for rows in of_source.pieces()]
        )
        least = np.argsort(draws, kind="stable")[:PROBE_ROWS].tolist()
        # In the order in which they lie on disk.
        probes = [(float(draws[i]), str(of_source.text[i])) for i in sorted(least)]
        drawn = sorted([*drawn, *probes])[:PROBE_ROWS]
    return [text for _, text in drawn]


def _steering(examples: Artifact, model: Embedder) -> tuple[int, float]:
    """Rows of the split that steers, and FLOPs of embedding all splits."""
    table = examples.table("rows.parquet", ["split", "text"])
    flops = count_flops(model, table["text"].to_pylist())
    return table["split"].to_pylist().count("dev"), flops
