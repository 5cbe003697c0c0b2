"""Both variants of the embedding method against their definitions, by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError
from safetensors.numpy import load, save
from sklearn.metrics.pairwise import cosine_similarity

from selection.methods.contract.cost import CostInputs
from selection.methods.contract.protocol import FitInputs, Fitted, ScoreInputs, Scores
from selection.methods.contract.score_blocks import score_in_blocks
from selection.methods.contract.values import Rows
from selection.methods.embedding.method import METHOD, EmbeddingOptions

RNG = np.random.default_rng(5)
N, M, WIDTH = 90, 7, 12
TURNS: dict[str, Any] = {"variant": "round_robin"}


def make_rows(embeddings, ids) -> Rows:
    return Rows(np.array(ids), [""] * len(ids), np.full(len(ids), 10), embeddings)


POOL = make_rows(
    RNG.normal(size=(N, WIDTH)).astype(np.float16),
    [f"{'ø' if i % 9 == 0 else 'p'}{i:02d}" for i in RNG.permutation(N)],
)
TARGET = make_rows(RNG.normal(size=(M, WIDTH)).astype(np.float16), [f"t{i}" for i in range(M)])
COSINES = cosine_similarity(
    np.asarray(POOL.embeddings, dtype=float), np.asarray(TARGET.embeddings, dtype=float)
)


def fit(pool=(POOL,), **options) -> Fitted:
    n = sum(len(rows.row_id) for rows in pool)
    return METHOD.fit(
        FitInputs(TARGET, lambda: iter(pool), n_pool=n, options=EmbeddingOptions(**options), seed=0)
    )


def score(fitted, rows=POOL, **options) -> Scores:
    given = ScoreInputs(rows, target=TARGET, options=EmbeddingOptions(**options), seeds=(0,))
    return METHOD.score(fitted, given)


def popped_by_hand() -> list[int]:
    left, order = set(range(N)), []
    while left:
        mine = COSINES[:, len(order) % M].round(7)
        order.append(min(left, key=lambda i: (-mine[i], POOL.row_id[i])))
        left.remove(order[-1])
    return order


ORDER = popped_by_hand()


def test_the_mean_variant_scores_by_the_mean_of_all_cosines():
    scores = score(fit())
    np.testing.assert_allclose(scores.score[0], COSINES.mean(axis=1), atol=1e-7)
    assert METHOD.fit_asset(EmbeddingOptions()) is None


def test_the_top_k_of_round_robin_are_the_k_rows_popped_first():
    scores = score(fit(**TURNS), **TURNS)
    assert METHOD.fit_asset(EmbeddingOptions(**TURNS)) == "turns"
    assert np.argsort(-scores.score[0]).tolist() == ORDER
    np.testing.assert_array_equal(scores.score[0][ORDER], -np.arange(1.0, N + 1))


def test_receipts_of_round_robin_say_who_popped_the_row_when_and_how_near_it_was():
    receipts = score(fit(**TURNS), **TURNS).receipts
    turns = np.asarray(receipts["turn"])
    assert turns[ORDER].tolist() == list(range(1, N + 1))
    for i in range(N):
        taker = (turns[i] - 1) % M
        assert receipts["popped_by"][i].as_py() == f"t{taker}"
        assert receipts["popped_cosine"][i].as_py() == pytest.approx(COSINES[i, taker], abs=1e-7)
    assert np.asarray(receipts["nearest_target"])[0] == f"t{COSINES[0].argmax()}"


def test_rows_beyond_the_depth_follow_by_their_largest_cosine_with_empty_receipts():
    fitted = fit(**TURNS, depth=4)
    scores = score(fitted, **TURNS, depth=4)
    turns = fitted.facts["turns"]
    assert isinstance(turns, int) and 4 <= turns < N
    ranked = np.argsort(-scores.score[0]).tolist()
    assert ranked[:turns] == ORDER[:turns]
    rest = sorted(ORDER[turns:], key=lambda i: -COSINES[i].max())
    assert ranked[turns:] == rest
    for name in ("turn", "popped_by", "popped_cosine"):
        nulls = np.asarray(pa.array(scores.receipts[name]).is_null())
        np.testing.assert_array_equal(np.flatnonzero(nulls), np.sort(rest))


def test_turns_survive_a_store_of_arrays_and_the_order_of_batches_and_blocks(tmp_path):
    fitted = fit(**TURNS, depth=6)
    parts = [POOL.take(slice(i, i + 13)) for i in range(0, N, 13)]
    again = fit(parts[::-1], **TURNS, depth=6)
    stored = load(save({n: np.ascontiguousarray(a) for n, a in fitted.arrays.items()}))
    for name, values in stored.items():
        np.testing.assert_array_equal(values, again.arrays[name])
    options = {**TURNS, "depth": 6}
    whole = score(fitted, **options)
    blocks = score_in_blocks(
        METHOD,
        Fitted(stored, fitted.facts),
        POOL,
        ScoreInputs(POOL.take(slice(0)), TARGET, EmbeddingOptions(**options), seeds=(0,)),
        finished=tmp_path,
        block_rows=11,
    )
    np.testing.assert_array_equal(blocks.score, whole.score)
    assert blocks.flops == whole.flops
    receipts = pa.concat_tables(table for _, table in blocks.receipts())
    for name, column in whole.receipts.items():
        assert receipts[name].to_pylist() == pa.array(column).to_pylist()


def test_a_row_in_two_sources_is_one_row_with_one_turn():
    other = dataclasses.replace(POOL.take(slice(10, 30)), source="other")
    fitted = fit((POOL, other), **TURNS)
    assert fitted.facts["n_distinct"] == N
    whole = score(fitted, **TURNS).score
    np.testing.assert_array_equal(whole, score(fit(**TURNS), **TURNS).score)
    np.testing.assert_array_equal(score(fitted, other, **TURNS).score[0], whole[0, 10:30])


@pytest.mark.parametrize("options", [{}, TURNS, {**TURNS, "depth": 5}])
def test_the_cost_is_what_fit_and_score_compute(options):
    cost = METHOD.cost(CostInputs(N, M, 1e6, 1e3, WIDTH, EmbeddingOptions(**options)))
    fitted = fit(**options)
    assert cost.phases["embedding"] == 1e6 + 1e3
    assert cost.phases["fit"] == fitted.flops
    assert cost.phases["score"] == score(fitted, **options).flops
    assert cost.phases["fit"] == (2 * N * M * WIDTH if options else 0)


def test_a_depth_too_large_to_keep_is_refused_with_the_remedy():
    inputs = FitInputs(
        TARGET,
        lambda: iter([POOL]),
        n_pool=N,
        options=EmbeddingOptions(**TURNS, depth=15),
        seed=0,
        memory_limit=8 * 100,
    )
    with pytest.raises(ValueError, match="set `depth` to at most 14"):
        METHOD.fit(inputs)
    for depth in (14, None):
        assert METHOD.fit(
            dataclasses.replace(inputs, options=EmbeddingOptions(**TURNS, depth=depth))
        )


def test_a_large_machine_keeps_no_more_pairs_than_a_small_one(monkeypatch):
    """Unless a depth asks for them: its memory is for others, too."""
    monkeypatch.setattr("selection.methods.embedding.method.MAX_PAIRS", 3 * M)
    options = EmbeddingOptions(**TURNS)
    inputs = FitInputs(TARGET, lambda: iter([POOL]), N, options, seed=0, memory_limit=2**40)
    turns = METHOD.fit(inputs).facts["turns"]
    deep = EmbeddingOptions(**TURNS, depth=N)
    assert turns < METHOD.fit(dataclasses.replace(inputs, options=deep)).facts["turns"] == N


def test_a_depth_without_turns_is_refused():
    with pytest.raises(ValidationError, match="depth is of variant round_robin"):
        fit(depth=3)


def test_no_rows_have_no_scores():
    none = POOL.take(slice(0, 0))
    scores = score(fit(**TURNS), none, **TURNS)
    assert scores.score.shape == (1, 0)
    assert all(len(column) == 0 for column in scores.receipts.values())
