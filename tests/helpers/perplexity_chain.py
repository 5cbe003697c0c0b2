"""A tiny selector, rows of two kinds, and what the perplexity method prepares of them."""

from __future__ import annotations

import dataclasses
import inspect
import statistics
import unittest
from pathlib import Path
from typing import Any

import numpy as np

from selection.budget.meter import BudgetExhausted
from selection.costs import ModelShape
from selection.methods.contract.cost import CostInputs, SelectorSize
from selection.methods.contract.preparation import PrepareInputs, Selector
from selection.methods.contract.protocol import FitInputs, ScoreInputs, Scores
from selection.methods.contract.values import Rows
from selection.methods.perplexity.method import METHOD
from selection.methods.perplexity.options import PerplexityOptions
from selection.models.base import new_model, save_checkpoint, tiny_config
from selection.models.examples import Example
from selection.models.tokenizer import count_tokens, train_tokenizer


def paragraphs(module) -> list[str]:
    documented = [inspect.getdoc(getattr(module, name)) for name in module.__all__]
    parts = {part[:240] for text in documented if text for part in text.split("\n\n")}
    return sorted(part for part in parts if len(part) > 20)


KIND = paragraphs(statistics)


EXAMPLES = [Example(f"t{i}", text) for i, text in enumerate(KIND[::2])]


TEXTS = KIND[1::2] + paragraphs(unittest)


ROWS = Rows(np.array([f"p{i:03d}" for i in range(len(TEXTS))]), TEXTS, np.full(len(TEXTS), 50))


N_KIND = len(KIND[1::2])


TARGET = Rows(np.array([e.row_id for e in EXAMPLES]), [e.text for e in EXAMPLES], np.array([]))


TOKENIZER = train_tokenizer(TEXTS, vocab_size=400)


LENGTH = 64


OPTIONS = PerplexityOptions(epochs=4, learning_rate=3e-3, batch_size=4)


class Counted:
    """A meter that stops work after so many parts."""

    def __init__(self, parts: float = float("inf")) -> None:
        self.parts, self.flops = parts, 0.0

    def affords(self, flops: float) -> bool:
        return self.parts >= 1

    def charge(self, flops: float) -> None:
        if self.parts < 1:
            raise BudgetExhausted("no more")
        self.parts -= 1
        self.flops += flops


def make_selector(folder: Path, seed: int = 0) -> Selector:
    config = tiny_config(
        "llama",
        width=32,
        layers=2,
        heads=2,
        ffn_width=64,
        vocabulary=len(TOKENIZER),
        sequence_length=LENGTH,
    )
    if not folder.exists():
        save_checkpoint(new_model(config, seed=seed), TOKENIZER, folder)
    return Selector(folder, ModelShape.from_config(config), "measured")


def inputs(selector: Selector | None, work: Path, **other: Any) -> PrepareInputs:
    work.mkdir(parents=True, exist_ok=True)
    given = {"options": OPTIONS, "pool": lambda: iter([ROWS]), "target": EXAMPLES} | other
    return PrepareInputs(n_pool=len(TEXTS), work=work, selector=selector, **given)


def run(selector: Selector, work: Path, options: PerplexityOptions, **other: Any) -> dict[str, Any]:
    """Every preparation in its order, what one made given to the next."""
    made: dict[str, Any] = {}
    for one in METHOD.preparations(options):
        given = inputs(selector, work / one.asset, options=options, **other)
        needed = {name: made[name] for name in one.needs}
        made[one.asset] = one.prepare(dataclasses.replace(given, prepared=needed))
    return made


def with_losses(made: dict[str, Any]) -> Rows:
    features = METHOD.preparations(OPTIONS)[-1].features(made["perplexities"])
    assert features.shape == (len(TEXTS), 3)
    return dataclasses.replace(ROWS, features=features)


def score(rows: Rows, **options) -> Scores:
    given = PerplexityOptions(**options)
    fitted = METHOD.fit(
        FitInputs(TARGET, lambda: iter([rows]), n_pool=len(TEXTS), options=given, seed=0)
    )
    return METHOD.score(fitted, ScoreInputs(rows, target=TARGET, options=given, seeds=(0,)))


def lengths(texts) -> np.ndarray:
    return count_tokens(TOKENIZER, list(texts))


def cost_inputs(selector: Selector | None, **options) -> CostInputs:
    size = None
    if selector is not None:
        target_lengths = lengths(e.text for e in EXAMPLES)
        size = SelectorSize(selector.shape, selector.accountant, lengths(TEXTS), target_lengths)
    return CostInputs(
        len(TEXTS),
        len(EXAMPLES),
        0.0,
        0.0,
        8,
        PerplexityOptions(**options) if options else OPTIONS,
        size,
    )
