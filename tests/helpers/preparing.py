"""Run what a method needs before its fit, in memory, as the assets do on the disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from selection.costs import ModelShape
from selection.methods.contract.preparation import Preparation, Prepared, PrepareInputs, Selector
from selection.methods.contract.protocol import Method
from selection.methods.contract.values import Rows
from selection.models.base import new_model, tiny_config
from selection.models.examples import Example
from selection.models.tokenizer import train_tokenizer

TINY_SHAPE = ModelShape(
    layers=2,
    width=16,
    heads=2,
    kv_heads=2,
    ffn_width=32,
    vocabulary=400,
    sequence_length=64,
    tied_embeddings=True,
)
# Removed when the tests are over: what is prepared once serves many of them.
_SCRATCH = TemporaryDirectory()


def prepare(
    method: Method[Any],
    pool_by_source: Sequence[Rows],
    target: Sequence[Example],
    options: BaseModel,
    work: Path,
    selector: Selector | None = None,
) -> tuple[list[Rows], dict[str, Prepared]]:
    """Give the rows with features, source by source, and what `fit` and `score` read.

    Each preparation sees what it declares and nothing more: one that is shared no target, one
    without `needs_selector` no selector, and of earlier ones only those in its `needs`.

    Parameters
    ----------
    pool_by_source : one `Rows` for each source, in the pool's order
    work : an existing folder; kept, so that a second call resumes what the first had begun
    """
    prepared: dict[str, Prepared] = {}
    features: list[Any] = [rows.features for rows in pool_by_source]
    by_source: set[str] = set()
    for preparation in method.preparations(options):
        refused = set(preparation.needs) & by_source
        assert not refused, f"{preparation.asset} needs {refused}, which are by source"
        inputs = PrepareInputs(
            options=options,
            pool=lambda: iter(pool_by_source),
            n_pool=sum(len(rows.row_id) for rows in pool_by_source),
            work=work,
            target=() if preparation.shared else target,
            selector=_selector_for(preparation, selector),
            prepared={name: prepared[name] for name in preparation.needs},
        )
        if not preparation.by_source:
            inputs = replace(inputs, work=_folder(work, preparation.asset))
            prepared[preparation.asset] = preparation.prepare(inputs)
            continue
        by_source.add(preparation.asset)
        for number, rows in enumerate(pool_by_source):
            of_source = replace(
                inputs,
                pool=lambda rows=rows: _only(rows),
                n_pool=len(rows.row_id),
                work=_folder(work, f"{preparation.asset}_{number}"),
            )
            features[number] = preparation.features(preparation.prepare(of_source))
    given = zip(pool_by_source, features, strict=True)
    return [replace(rows, features=found) for rows, found in given], prepared


def prepare_by_default(
    method: Method[Any], pool: Rows, target: Rows
) -> tuple[Rows, dict[str, Prepared]]:
    """As `prepare`, of one source and with default options and, where needed, a tiny selector."""
    work = Path(mkdtemp(dir=_SCRATCH.name))
    wanted = any(one.needs_selector for one in method.preparations(method.options()))
    selector = tiny_selector(work / "selector", pool.text) if wanted else None
    examples = [Example(i, text) for i, text in zip(target.row_id, target.text, strict=True)]
    (rows,), prepared = prepare(method, [pool], examples, method.options(), work, selector)
    return rows, prepared


def tiny_selector(folder: Path, texts: Sequence[str]) -> Selector:
    """Make a two-layer decoder with random weights, and a tokenizer of these texts."""
    config = tiny_config(
        "llama",
        width=TINY_SHAPE.width,
        layers=TINY_SHAPE.layers,
        heads=TINY_SHAPE.heads,
        ffn_width=TINY_SHAPE.ffn_width,
        vocabulary=TINY_SHAPE.vocabulary,
        sequence_length=TINY_SHAPE.sequence_length,
    )
    new_model(config, seed=0).save_pretrained(folder)
    train_tokenizer(texts, vocab_size=TINY_SHAPE.vocabulary).save_pretrained(folder)
    return Selector(folder, TINY_SHAPE, accountant="detailed")


def values_of(receipt: np.ndarray | pa.Array) -> list:
    """Plain values, of a column of lists too."""
    return pa.array(receipt).to_pylist()


def _only(rows: Rows) -> Iterator[Rows]:
    return iter([rows])


def _selector_for(preparation: Preparation, selector: Selector | None) -> Selector | None:
    if not preparation.needs_selector:
        return None
    assert selector is not None, f"{preparation.asset} needs a selector; give one"
    return selector


def _folder(work: Path, name: str) -> Path:
    folder = work / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
