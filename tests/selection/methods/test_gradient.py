from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from selection.budget.meter import BudgetExhausted
from selection.costs import ModelShape
from selection.methods.gradient import METHOD
from selection.methods.preparation import Prepared, PrepareInputs, Selector, SelectorSize
from selection.methods.protocol import CostInputs, FitInputs, Rows
from selection.models.base import load_tokenizer, new_model, save_checkpoint, tiny_config
from selection.models.examples import Example, render
from selection.models.tokenizer import train_tokenizer
from selection.models.training import Recipe, train

LONGEST = 48
OPTIONS = {
    "dimensions": 512,
    "checkpoints": 2,
    "warm_up_share": 0.3,
    "lora_rank": 4,
    "learning_rate": 2e-3,
    "batch_size": 8,
}
WARM_UP, STORE, TARGET = METHOD.preparations(OPTIONS)
RNG = np.random.default_rng(5)
WORDS = {
    "kitchen": "stir the salt into warm butter then bake bread with garlic onion pepper".split(),
    "court": "judge heard appeal and counsel argued that statute bars the claim before".split(),
    "sea": "waves carried old ships past cliffs while gulls cried over cold grey harbours".split(),
}


def write_text(kind: str) -> str:
    return " ".join(RNG.choice(WORDS[kind], size=int(RNG.integers(6, 22)))) + "."


POOL_KINDS = np.array([["kitchen", "court", "sea"][i % 3] for i in range(120)])
TEXTS = [write_text(kind) for kind in POOL_KINDS]
POOL = Rows(
    np.array([f"p{i:04d}" for i in range(120)]), TEXTS, np.array([len(t.split()) for t in TEXTS])
)
EXAMPLES = [
    Example(f"t{i}", write_text(kind), label=kind)
    for i, kind in enumerate(["kitchen", "sea"] * 5)
]
NO_ROWS = Rows(np.empty(0, str), [], np.empty(0, np.int64))


@pytest.fixture(scope="module")
def selector(tmp_path_factory) -> Selector:
    """A decoder of two layers that has read texts of all kinds for a few seconds."""
    folder = tmp_path_factory.mktemp("selector")
    texts = [write_text(kind) for kind in list(WORDS) * 60]
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
    dataset = [render(Example("", text), tokenizer, LONGEST) for text in texts]
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


class Tank:
    """A meter with so many FLOPs, which remembers what was charged."""

    def __init__(self, room: float = float("inf")) -> None:
        self.room, self.charged = room, []

    def affords(self, flops: float) -> bool:
        return sum(self.charged) + flops <= self.room

    def charge(self, flops: float) -> None:
        if not self.affords(flops):
            raise BudgetExhausted("the tank is empty")
        self.charged.append(flops)


def inputs(selector: Selector, work: Path, **others: Any) -> PrepareInputs:
    work.mkdir(parents=True, exist_ok=True)
    batches = [POOL.take(slice(0, 50)), POOL.take(slice(50, 120))]
    given = {"pool": lambda: iter(batches), "selector": selector, "options": OPTIONS}
    return PrepareInputs(**{**given, "n_pool": 120, "work": work, **others})


@dataclass
class Chain:
    warm_up: Prepared
    store: Prepared
    target: Prepared
    meters: dict[str, Tank]

    def fit(self):
        prepared = {WARM_UP.asset: self.warm_up, TARGET.asset: self.target}
        given = FitInputs(NO_ROWS, lambda: iter([POOL]), 120, OPTIONS, seed=0, prepared=prepared)
        return METHOD.fit(given)

    def score(self, rows: Rows):
        return METHOD.score(self.fit(), rows, target=NO_ROWS, options=OPTIONS, seeds=(0,))

    @property
    def pool(self) -> Rows:
        return replace(POOL, features=STORE.features(self.store))


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


def test_rows_of_the_targets_kinds_rank_above_others_each_by_its_own_subtask(chain):
    scores = chain.score(chain.pool)
    best = np.argsort(-scores.score[0], kind="stable")[:60]
    assert np.mean(POOL_KINDS[best] != "court") >= 0.95
    kinds = POOL_KINDS[best][POOL_KINDS[best] != "court"]
    told = scores.receipts["best_subtask"][best][POOL_KINDS[best] != "court"]
    assert np.mean(told == kinds) >= 0.9
