"""What the gradient method prepares, once for the tests of this folder."""

from __future__ import annotations

import pytest
from gradient_chain import (
    EXAMPLES,
    LONGEST,
    OPTIONS,
    PHRASES,
    STORE,
    TARGET,
    TEXTS,
    WARM_UP,
    Chain,
    Tank,
    inputs,
    lengths,
    write_text,
)

from selection.costs import ModelShape
from selection.methods.contract.cost import CostInputs, SelectorSize
from selection.methods.contract.preparation import Selector
from selection.models.base import new_model, save_checkpoint, tiny_config
from selection.models.examples import Example, render_all
from selection.models.recipe import Recipe
from selection.models.tokenizer import train_tokenizer
from selection.models.training import train


@pytest.fixture(scope="module")
def selector(tmp_path_factory) -> Selector:
    """A decoder of two layers that has read texts of all kinds, some labelled, for seconds."""
    folder = tmp_path_factory.mktemp("selector")
    kinds = list(PHRASES) * 60
    texts = [write_text(kind) for kind in kinds]
    tokenizer = train_tokenizer(texts, vocab_size=400)
    config = tiny_config(
        "llama",
        width=32,
        layers=2,
        heads=4,
        ffn_width=64,
        vocabulary=len(tokenizer),
        sequence_length=LONGEST,
    )
    model = new_model(config, seed=0)
    examples = [
        Example("", text, label=kind if i % 2 else None)
        for i, (kind, text) in enumerate(zip(kinds, texts, strict=True))
    ]
    dataset, _ = render_all(examples, tokenizer, LONGEST)
    train(
        model,
        dataset,
        Recipe(epochs=3, learning_rate=3e-3, batch_size=16),
        work_dir=folder / "work",
        pad_id=1,
        device="cpu",
    )
    save_checkpoint(model, tokenizer, folder / "model")
    return Selector(folder / "model", ModelShape.from_config(config), "measured")


@pytest.fixture(scope="module")
def chain(selector, tmp_path_factory) -> Chain:
    work = tmp_path_factory.mktemp("work")
    meters = {preparation.asset: Tank() for preparation in (WARM_UP, STORE, TARGET)}

    def run(preparation, **others):
        meter = meters[preparation.asset]
        return preparation.prepare(
            inputs(selector, work / preparation.asset, meter=meter, **others)
        )

    warmed = run(WARM_UP)
    prepared = {WARM_UP.asset: warmed}
    return Chain(
        warmed,
        run(STORE, prepared=prepared),
        run(TARGET, prepared=prepared, target=EXAMPLES),
        meters,
    )


@pytest.fixture(scope="module")
def cost_inputs(selector) -> CostInputs:
    pool = [Example("", text) for text in TEXTS]
    size = SelectorSize(
        selector.shape, "measured", lengths(selector, pool), lengths(selector, EXAMPLES)
    )
    return CostInputs(120, len(EXAMPLES), 1e30, 1e30, 0, OPTIONS, size)
