"""A tiny selector, texts of three kinds, and the chain of what the gradient method prepares."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from selection.budget.meter import BudgetExhausted
from selection.methods.contract.preparation import Prepared, PrepareInputs, Selector
from selection.methods.contract.protocol import FitInputs, ScoreInputs
from selection.methods.contract.values import Rows
from selection.methods.gradient.method import METHOD
from selection.methods.gradient.options import GradientOptions
from selection.models.base import load_tokenizer
from selection.models.examples import Example
from selection.models.windows import read_lengths

LONGEST = 48


OPTIONS = GradientOptions(
    dimensions=1024,
    checkpoints=2,
    warm_up_share=0.3,
    lora_rank=4,
    learning_rate=2e-3,
    batch_size=8,
)


WARM_UP, STORE, TARGET = METHOD.preparations(OPTIONS)


RNG = np.random.default_rng(5)


PHRASES = {
    "kitchen": (
        "stir salt into the warm butter",
        "bake the bread until golden",
        "chop garlic and onion finely",
        "let the dough rest an hour",
    ),
    "court": (
        "the judge heard the appeal",
        "counsel argued that the claim is barred",
        "the statute does not apply here",
        "costs follow the event",
    ),
    "sea": (
        "waves broke over the grey harbour",
        "gulls cried above the old ships",
        "the tide turned before dawn",
        "nets hung drying on the pier",
    ),
}


def write_text(kind: str) -> str:
    return ", ".join(RNG.choice(PHRASES[kind], size=int(RNG.integers(2, 5)))) + "."


POOL_KINDS = np.array([["kitchen", "court", "sea"][i % 3] for i in range(120)])


TEXTS = [write_text(kind) for kind in POOL_KINDS]


POOL = Rows(
    np.array([f"p{i:04d}" for i in range(120)]), TEXTS, np.array([len(t.split()) for t in TEXTS])
)


EXAMPLES = [
    Example(f"t{i}", write_text(kind), label=kind) for i, kind in enumerate(["kitchen", "sea"] * 5)
]


NO_ROWS = Rows(np.empty(0, str), [], np.empty(0, np.int64))


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
        return METHOD.score(
            self.fit(), ScoreInputs(rows, target=NO_ROWS, options=OPTIONS, seeds=(0,))
        )

    @property
    def pool(self) -> Rows:
        return replace(POOL, features=STORE.features(self.store))


def lengths(selector: Selector, examples: list[Example]) -> np.ndarray:
    return read_lengths(examples, load_tokenizer(selector.folder), LONGEST)
