"""Scoring in blocks: the same scores, and nothing that was finished is done again."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

# The helpers of the methods' tests serve this one too.
from preparing import prepare_by_default, values_of

from selection.methods import REGISTRY
from selection.methods.contract.preparation import Prepared
from selection.methods.contract.protocol import FitInputs, ScoreInputs
from selection.methods.contract.score_blocks import score_in_blocks
from selection.methods.contract.values import Rows
from selection.methods.dsir.method import DsirOptions

RNG = np.random.default_rng(2)


def make_rows(n: int, prefix: str) -> Rows:
    ids = np.array([f"{prefix}{i:04d}" for i in range(n)])
    texts = [f"text number {i}" for i in range(n)]
    return Rows(ids, texts, RNG.integers(1, 90, size=n), RNG.normal(size=(n, 16)))


POOL, TARGET = make_rows(500, "p"), make_rows(20, "t")
SEEDS = [3, 4]


@cache
def ready(name: str) -> tuple[Rows, dict[str, Prepared]]:
    """The pool with the features of the method's preparations, and what else they made."""
    return prepare_by_default(REGISTRY[name], POOL, TARGET)


def fitted(name: str):
    pool, prepared = ready(name)
    method = REGISTRY[name]
    return method.fit(
        FitInputs(TARGET, lambda: iter([pool]), 500, method.options(), seed=0, prepared=prepared)
    )


def in_blocks(
    name: str,
    folder,
    pool: Rows | None = None,
    method: Any = None,
    report=lambda n: None,
    fit=None,
    **changed: Any,
):
    rows = ready(name)[0] if pool is None else pool
    inputs = ScoreInputs(
        rows.take(slice(0)),
        TARGET,
        options=REGISTRY[name].options(),
        seeds=SEEDS,
        prepared=ready(name)[1],
    )
    return score_in_blocks(
        method or REGISTRY[name],
        fitted(name) if fit is None else fit,
        rows,
        replace(inputs, **changed),
        finished=folder,
        block_rows=120,
        report=report,
    )


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_blocks_change_nothing(name, tmp_path, figures):
    pool, prepared = ready(name)
    options = REGISTRY[name].options()
    whole = REGISTRY[name].score(
        fitted(name), ScoreInputs(pool, TARGET, options, seeds=SEEDS, prepared=prepared)
    )
    done: list[int] = []
    blocks = in_blocks(name, tmp_path, report=done.append)
    np.testing.assert_array_equal(blocks.score, whole.score)
    assert done == [120, 120, 120, 120, 20]
    assert blocks.flops == pytest.approx(whole.flops)
    receipts = pa.concat_tables(table for _, table in blocks.receipts())
    assert set(receipts.column_names) == set(whole.receipts)
    for receipt, values in whole.receipts.items():
        assert values_of(receipts[receipt]) == values_of(values)
    figures.record("P6", methods_tried=1, scores_compared=whole.score.size)


class Dying:
    """A method that dies at its n-th block."""

    def __init__(self, name: str, dies_at: int) -> None:
        self.method, self.dies_at, self.blocks = REGISTRY[name], dies_at, 0
        self.name = name
        self.receipts = self.method.receipts

    def score(self, *arguments):
        self.blocks += 1
        if self.blocks == self.dies_at:
            raise KeyboardInterrupt
        return self.method.score(*arguments)


def test_finished_blocks_are_not_scored_again(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        in_blocks("ot", tmp_path, method=Dying("ot", dies_at=4))
    resumed = Dying("ot", dies_at=99)
    scores = in_blocks("ot", tmp_path, method=resumed)
    assert resumed.blocks == 2
    np.testing.assert_array_equal(scores.score, in_blocks("ot", tmp_path / "again").score)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("random", {"seeds": [3, 5]}),
        ("random", {"pool": make_rows(500, "q")}),
        ("dsir", {"options": DsirOptions(draw="top")}),
        ("embedding", {"target": make_rows(20, "u")}),
    ],
)
def test_blocks_of_other_rows_seeds_options_or_targets_are_not_taken(name, changed, tmp_path):
    """Though they lie in the same folder."""
    in_blocks(name, tmp_path)
    scorer = Dying(name, dies_at=99)
    again = in_blocks(name, tmp_path, method=scorer, **changed)
    assert scorer.blocks == 5
    alone = in_blocks(name, tmp_path / "alone", **changed)
    np.testing.assert_array_equal(again.score, alone.score)


def test_blocks_of_another_fit_are_not_taken(tmp_path):
    in_blocks("ot", tmp_path)
    fit = fitted("ot")
    moved = replace(fit, arrays=fit.arrays | {"g": fit.arrays["g"] + 0.1})
    again = in_blocks("ot", tmp_path, fit=moved)
    assert again.resumed_flops == 0
    assert not np.array_equal(again.score, in_blocks("ot", tmp_path).score)


def test_no_rows_give_no_scores(tmp_path):
    nothing = POOL.take(slice(0, 0))
    scores = in_blocks("ot", tmp_path, pool=nothing)
    assert scores.score.shape == (1, 0)
