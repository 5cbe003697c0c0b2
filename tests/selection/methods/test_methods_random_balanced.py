from __future__ import annotations

import json

import numpy as np
import pytest

from selection.basics.draws import keyed_gumbel
from selection.methods import REGISTRY
from selection.methods.contract.protocol import FitInputs, Fitted, ScoreInputs
from selection.methods.contract.values import Rows

METHOD = REGISTRY["random_balanced"]
SIZES = {"huge": 6000, "large": 2000, "middle": 800, "small": 400}
TARGET = Rows(np.array([], dtype=str), [], np.array([], dtype=np.int64))


def rows_of(source: str, n: int) -> Rows:
    ids = np.array([f"{source}-{i}" for i in range(n)])
    return Rows(ids, [""] * n, np.ones(n, dtype=np.int64), source=source)


def fit(pool: list[Rows]) -> Fitted:
    n_pool = sum(len(rows.row_id) for rows in pool)
    return METHOD.fit(FitInputs(TARGET, lambda: iter(pool), n_pool, METHOD.options(), seed=0))


def score(fitted: Fitted, rows: Rows, seeds=(0,)) -> np.ndarray:
    return METHOD.score(fitted, ScoreInputs(rows, TARGET, METHOD.options(), seeds=seeds)).score


def top_shares(
    sizes: dict[str, int], k: int, seeds: range, name: str = "random_balanced"
) -> np.ndarray:
    """How many of each draw's first k rows are of each source: (draws, sources)."""
    pool = [rows_of(source, n) for source, n in sizes.items()]
    fitted = fit(pool)
    given = [ScoreInputs(rows, TARGET, options=METHOD.options(), seeds=seeds) for rows in pool]
    scores = np.hstack([REGISTRY[name].score(fitted, one).score for one in given])
    source = np.repeat(np.arange(len(sizes)), list(sizes.values()))
    first = np.argsort(-scores, axis=1)[:, :k]
    return np.stack([np.bincount(source[one], minlength=len(sizes)) for one in first])


def filled_up(sizes: list[int], k: int) -> np.ndarray:
    """Rows of each source when all give equally many, as long as they have some."""
    taken = np.zeros(len(sizes))
    while taken.sum() < k:
        open_ = taken < sizes
        taken[open_] += min((k - taken.sum()) / open_.sum(), (np.array(sizes) - taken)[open_].min())
    return taken


def test_sources_have_equal_shares_of_the_first_rows_however_large_they_are():
    counts = top_shares(SIZES, k=40, seeds=range(50)).sum(axis=0)
    # Chi-square with 3 degrees of freedom; 16.3 is its 99.9 % point, and the draws are fixed.
    assert ((counts - 500) ** 2 / 500).sum() < 16.3


def test_random_over_rows_would_not_be_balanced():
    """The bound above is one that uniform rows fail."""
    counts = top_shares(SIZES, k=40, seeds=range(50), name="random").sum(axis=0)
    assert ((counts - 500) ** 2 / 500).sum() > 1000


@pytest.mark.parametrize("k", [20, 40, 2000, 5000])
def test_sources_give_equally_many_rows_until_they_run_out(k):
    sizes = {"tiny": 3, "small": 10, "large": 60} if k < 100 else SIZES
    counts = top_shares(sizes, k=k, seeds=range(200))
    spread = counts.std(axis=0) / np.sqrt(200)
    expected = filled_up(list(sizes.values()), k)
    # Near the end of a source a draw may take one row more or less of it.
    assert (np.abs(counts.mean(axis=0) - expected) < 4 * spread + 0.5).all()


def test_rows_of_one_source_are_equally_likely_to_come_first():
    rows = rows_of("one", 10)
    first = score(fit([rows]), rows, range(5000)).argmax(axis=1)
    counts = np.bincount(first, minlength=10)
    # Chi-square with 9 degrees of freedom; 27.9 is its 99.9 % point, and the draws are fixed.
    assert ((counts - 500) ** 2 / 500).sum() < 27.9


def test_a_fit_on_one_source_scores_it_as_a_fit_on_the_whole_pool_does():
    pool = [rows_of(source, n) for source, n in SIZES.items()]
    whole = fit(pool)
    for rows in pool:
        np.testing.assert_array_equal(score(fit([rows]), rows), score(whole, rows))


def test_batches_of_a_source_and_their_order_change_nothing():
    rows = rows_of("one", 300)
    batches = [rows.take(slice(start, start + 70)) for start in range(0, 300, 70)]
    fitted = fit(batches[::-1])
    assert json.loads(json.dumps(fitted.facts)) == fitted.facts == fit([rows]).facts
    parts = [score(fitted, batch, (0, 1)) for batch in batches]
    np.testing.assert_array_equal(np.hstack(parts), score(fitted, rows, (0, 1)))


def test_the_receipt_says_how_many_rows_share_the_source_s_weight():
    pool = [rows_of(source, n) for source, n in SIZES.items()]
    scores = METHOD.score(fit(pool), ScoreInputs(pool[3], TARGET, METHOD.options(), seeds=(0,)))
    assert set(np.asarray(scores.receipts["source_rows"]).tolist()) == {400}


def test_a_source_that_was_not_counted_is_refused():
    with pytest.raises(ValueError, match=r"counted 0 rows of source 'other'.*fit it on a pool"):
        score(fit([rows_of("one", 5)]), rows_of("other", 5))


def test_an_empty_source_is_fitted_and_scored():
    assert score(fit([rows_of("none", 0)]), rows_of("none", 0)).shape == (1, 0)


def test_without_a_seed_it_is_refused():
    with pytest.raises(ValueError, match="no seed"):
        score(fit([rows_of("one", 5)]), rows_of("one", 5), seeds=())


def test_the_noise_is_gumbel():
    noise = np.sort(keyed_gumbel([f"row{i}" for i in range(20_000)], seed=3, purpose="x"))
    assert np.isfinite(noise).all()
    cumulated = np.exp(-np.exp(-noise))
    # Kolmogorov-Smirnov: 1.95 / sqrt(n) is the 99.9 % point, and the draw is fixed.
    assert np.abs(cumulated - np.arange(1, 20_001) / 20_000).max() < 1.95 / np.sqrt(20_000)


def test_a_draw_of_zero_still_gives_a_finite_number(monkeypatch):
    monkeypatch.setattr("selection.basics.draws.keyed_uniform", lambda *_, **__: np.zeros(1))
    assert np.isfinite(keyed_gumbel(["row"], seed=0, purpose="x")).all()
