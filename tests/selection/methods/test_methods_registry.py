from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from preparing import TINY_SHAPE, prepare_by_default, values_of
from pydantic import ValidationError

from selection.basics.draws import keyed_uniform
from selection.methods import REGISTRY
from selection.methods.contract.cost import PHASES, CostInputs, SelectorSize
from selection.methods.contract.preparation import Prepared
from selection.methods.contract.protocol import (
    FitInputs,
    Fitted,
    ScoreInputs,
    Scores,
    checked_scores,
)
from selection.methods.contract.values import Rows

RNG = np.random.default_rng(4)
D = 16
WORDS = ["the", "cell", "gene", "court", "market", "price", "novel", "sea", "ship", "law", "river"]


def make_rows(n: int, prefix: str) -> Rows:
    return Rows(
        row_id=np.array([f"{prefix}{i:04d}" for i in range(n)]),
        text=[f"{' '.join(RNG.choice(WORDS, size=RNG.integers(3, 12)))} {i}" for i in range(n)],
        n_words=RNG.integers(1, 100, size=n),
        embeddings=RNG.normal(size=(n, D)).astype(np.float16),
    )


def part(rows: Rows, index: np.ndarray) -> Rows:
    assert rows.embeddings is not None
    return Rows(
        rows.row_id[index],
        [rows.text[int(i)] for i in index],
        rows.n_words[index],
        rows.embeddings[index],
        rows.source,
        None if rows.features is None else rows.features[index],
    )


POOL, TARGET = make_rows(400, "p"), make_rows(30, "t")
SEEDS = (3, 4)


@cache
def ready(name: str) -> tuple[Rows, dict[str, Prepared]]:
    """The pool with the features of the method's preparations, and what else they made."""
    return prepare_by_default(REGISTRY[name], POOL, TARGET)


def fit(name: str, **options) -> Fitted:
    pool, prepared = ready(name)
    return REGISTRY[name].fit(
        FitInputs(
            TARGET,
            lambda: iter([pool]),
            n_pool=400,
            options=REGISTRY[name].options(**options),
            seed=0,
            prepared=prepared,
        )
    )


def score(name: str, fitted: Fitted, rows: Rows) -> Scores:
    method = REGISTRY[name]
    given = ScoreInputs(rows, TARGET, method.options(), seeds=SEEDS, prepared=ready(name)[1])
    return checked_scores(method, fitted, given)


def test_the_registry_finds_every_method_by_its_name():
    lexical = {"random", "random_balanced", "length", "bm25", "dsir"}
    assert lexical | {"embedding", "ot"} <= set(REGISTRY)
    assert all(method.name == name for name, method in REGISTRY.items())


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_scores_and_receipts_have_a_value_for_every_row(name):
    method = REGISTRY[name]
    scores = score(name, fit(name), ready(name)[0])
    assert scores.score.shape == (len(SEEDS) if method.draws_per_seed(method.options()) else 1, 400)
    assert scores.score.dtype == np.float64
    assert np.isfinite(scores.score).all()
    assert all(len(column) == 400 for column in scores.receipts.values())


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_scores_are_the_same_to_the_bit_in_any_batch_and_order(name):
    fitted = fit(name)
    pool = ready(name)[0]
    whole = score(name, fitted, pool)
    receipts = {column: values_of(values) for column, values in whole.receipts.items()}
    for batch in np.array_split(RNG.permutation(400), 9):
        shard = score(name, fitted, part(pool, batch))
        np.testing.assert_array_equal(shard.score, whole.score[:, batch])
        for column, values in shard.receipts.items():
            assert values_of(values) == [receipts[column][i] for i in batch]


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_an_empty_shard_is_scored(name):
    assert score(name, fit(name), part(ready(name)[0], np.arange(0))).score.shape[1] == 0


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
    options = method.options()
    preparations = {one.asset: one for one in method.preparations(options)}

    def flops(pool_embedding_flops: float) -> float:
        lengths = np.arange(400) % 50 + 1
        size = SelectorSize(TINY_SHAPE, "detailed", lengths, lengths[:30])
        inputs = CostInputs(400, 30, pool_embedding_flops, 5.0, D, options, size)
        cost = method.cost(inputs)
        assert cost.phases.keys() == {*PHASES, *preparations}
        for asset, preparation in preparations.items():
            assert cost.parts[asset] == preparation.flops(inputs)
            assert (asset in cost.shared) == preparation.shared
        assert cost.flops == sum(cost.parts.values())
        assert cost.accountant
        return cost.flops

    assert flops(1e9) - flops(0.0) == (1e9 if method.needs_embeddings else 0.0)


@pytest.mark.parametrize("name", ["embedding", "ot"])
def test_rows_without_embeddings_are_refused_where_they_are_needed(name):
    bare = Rows(POOL.row_id, POOL.text, POOL.n_words)
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
        inputs = ScoreInputs(POOL, target=TARGET, options=REGISTRY["random"].options(), seeds=())
        REGISTRY["random"].score(Fitted(), inputs)


def test_length_is_the_number_of_words():
    np.testing.assert_array_equal(score("length", Fitted(), POOL).score[0], POOL.n_words)
