from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from selection.draws import keyed_uniform
from selection.methods import REGISTRY
from selection.methods.protocol import CostInputs, FitInputs, Fitted, Rows

RNG = np.random.default_rng(4)
D = 16


def make_rows(n: int, prefix: str) -> Rows:
    return Rows(
        row_id=np.array([f"{prefix}{i:04d}" for i in range(n)]),
        text=[f"text {i}" for i in range(n)],
        n_tokens=RNG.integers(1, 100, size=n),
        embeddings=RNG.normal(size=(n, D)).astype(np.float16),
    )


def part(rows: Rows, index: np.ndarray) -> Rows:
    assert rows.embeddings is not None
    return Rows(
        rows.row_id[index],
        [f"text {i}" for i in index],
        rows.n_tokens[index],
        rows.embeddings[index],
    )


POOL, TARGET = make_rows(400, "p"), make_rows(30, "t")
SEEDS = (3, 4)


def fit(name: str, **options) -> Fitted:
    return REGISTRY[name].fit(
        FitInputs(TARGET, lambda: iter([POOL]), n_pool=400, options=options, seed=0)
    )


def score(name: str, fitted: Fitted, rows: Rows):
    return REGISTRY[name].score(fitted, rows, target=TARGET, options={}, seeds=SEEDS)


def test_the_registry_finds_every_method_by_its_name():
    assert {"random", "length", "embedding", "ot"} <= set(REGISTRY)
    assert all(method.name == name for name, method in REGISTRY.items())


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_scores_and_receipts_have_a_value_for_every_row(name):
    method = REGISTRY[name]
    scores = score(name, fit(name), POOL)
    assert scores.score.shape == (len(SEEDS) if method.draws_per_seed({}) else 1, 400)
    assert scores.score.dtype == np.float64
    assert np.isfinite(scores.score).all()
    assert all(len(column) == 400 for column in scores.receipts.values())


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_scores_are_the_same_to_the_bit_in_any_batch_and_order(name):
    fitted = fit(name)
    whole = score(name, fitted, POOL)
    for batch in np.array_split(RNG.permutation(400), 9):
        shard = score(name, fitted, part(POOL, batch))
        np.testing.assert_array_equal(shard.score, whole.score[:, batch])
        for column, values in shard.receipts.items():
            np.testing.assert_array_equal(values, np.asarray(whole.receipts[column])[batch])


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_an_empty_shard_is_scored(name):
    assert score(name, fit(name), part(POOL, np.arange(0))).score.shape[1] == 0


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_an_option_nobody_knows_is_refused(name):
    with pytest.raises(ValidationError, match="no_such_option"):
        fit(name, no_such_option=1)


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_option_has_a_description(name):
    assert all(f.description for f in REGISTRY[name].options.model_fields.values())


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_cost_is_the_sum_of_its_parts_and_embeddings_are_charged_where_needed(name):
    method = REGISTRY[name]

    def flops(pool_embedding_flops: float) -> float:
        cost = method.cost(CostInputs(400, 30, pool_embedding_flops, 5.0, D, {}))
        assert cost.flops == sum(cost.parts.values())
        assert cost.accountant
        return cost.flops

    assert flops(1e9) - flops(0.0) == (1e9 if method.needs_embeddings else 0.0)


@pytest.mark.parametrize("name", ["embedding", "ot"])
def test_rows_without_embeddings_are_refused_where_they_are_needed(name):
    bare = Rows(POOL.row_id, POOL.text, POOL.n_tokens)
    with pytest.raises(ValueError, match="carry none"):
        score(name, fit(name), bare)


def test_random_draws_one_uniform_ranking_per_seed():
    draws = score("random", Fitted(), POOL).score
    assert (draws >= 0).all() and (draws < 1).all()
    assert abs(np.corrcoef(draws)[0, 1]) < 0.2
    assert len(np.unique(draws)) == draws.size


def test_random_is_uniform():
    draws = keyed_uniform([f"row{i}" for i in range(20_000)], seed=-1, purpose="random")
    counts, _ = np.histogram(draws, bins=20, range=(0, 1))
    # Chi-square with 19 degrees of freedom; 43.8 is its 99.9 % point, and the draw is fixed.
    assert ((counts - 1000) ** 2 / 1000).sum() < 43.8


def test_draws_for_different_purposes_are_unrelated():
    ids = [f"row{i}" for i in range(2000)]
    one, other = (keyed_uniform(ids, seed=0, purpose=p) for p in ("random", "ot_potentials"))
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.1


def test_random_without_a_seed_is_refused():
    with pytest.raises(ValueError, match="no seed"):
        REGISTRY["random"].score(Fitted(), POOL, target=TARGET, options={}, seeds=())


def test_length_is_the_token_count():
    np.testing.assert_array_equal(score("length", Fitted(), POOL).score[0], POOL.n_tokens)
