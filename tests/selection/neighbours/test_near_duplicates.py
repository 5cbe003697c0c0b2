from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from selection.neighbours import duplicates
from selection.neighbours.bound import BOUND_SLACK, fit_basis, shorten
from selection.neighbours.duplicates import NearDuplicates

RNG = np.random.default_rng(2)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def clustered(rng, n, width, *, clusters, spread, twins):
    """Rows around a few centres, a share of them near-duplicates of any other row."""
    centres = unit(rng.normal(size=(clusters, width)))
    rows = unit(
        centres[rng.integers(clusters, size=n)] + spread * unit(rng.normal(size=(n, width)))
    )
    copies = rng.permutation(n)[: int(twins * n)]
    noise = unit(rng.normal(size=(len(copies), width)))
    amount = rng.uniform(0, 0.6, size=(len(copies), 1))
    rows[copies] = unit(rows[rng.integers(n, size=len(copies))] + amount * noise)
    return rows


def judged(rows, threshold, chunk):
    filter_ = NearDuplicates(rows.shape[1], threshold)
    parts = [filter_.judge(rows[i : i + chunk]) for i in range(0, len(rows), chunk)]
    return np.concatenate(parts)


def greedy_cover(rows, threshold):
    """The definition: each row against the rows kept before it."""
    cosines = cosine_similarity(rows)
    found, kept = [], []
    for i in range(len(rows)):
        to_kept = cosines[i, kept].round(7)
        if len(kept) and to_kept.max() >= threshold - 1e-6:
            found.append(int(to_kept.argmax()))
        else:
            found.append(-1)
            kept.append(i)
    return found


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1000),
    chunk=st.integers(1, 60),
    threshold=st.sampled_from([0.5, 0.8, 0.95]),
)
def test_near_duplicates_agree_with_the_greedy_definition_whatever_the_chunks(
    seed, chunk, threshold
):
    rows = np.random.default_rng(seed).normal(size=(60, 3))
    assert judged(rows, threshold, chunk).tolist() == greedy_cover(rows, threshold)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    width=st.sampled_from([12, 40, 96]),
    clusters=st.integers(1, 30),
    spread=st.sampled_from([0.3, 0.8, 2.0]),
    threshold=st.sampled_from([0.7, 0.9, 0.97]),
    first_fit=st.sampled_from([2, 50, 200]),
)
def test_the_bound_loses_no_near_duplicate(seed, width, clusters, spread, threshold, first_fit):
    rows = clustered(
        np.random.default_rng(seed), 500, width, clusters=clusters, spread=spread, twins=0.4
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_FIRST_FIT", first_fit)
        patch.setattr(duplicates, "_BLOCK_ROWS", 37)
        patch.setattr(duplicates, "_PAIRS", 11)
        # Otherwise a bound over so few rows would often not be worth its width.
        patch.setattr("selection.neighbours.bound._CHECK_COST", 0)
        assert judged(rows, threshold, 64).tolist() == greedy_cover(rows, threshold)


def test_the_cover_is_the_same_above_the_size_from_which_the_bound_is_used():
    rows = clustered(RNG, 12_000, 128, clusters=40, spread=1.5, twins=0.2).astype(np.float16)
    found = judged(rows, 0.97, 1024)
    assert (found < 0).sum() > duplicates._FIRST_FIT
    rows = unit(rows.astype(np.float32))
    kept = np.flatnonzero(found < 0)
    # No row repeats an earlier kept one, and every twin is near its row and near none more.
    for start in range(0, len(rows), 2000):
        cosines = rows[start : start + 2000] @ rows[kept].T
        earlier = kept[None, :] < np.arange(start, start + 2000)[:, None]
        best = np.where(earlier, cosines, -1.0)
        is_twin = found[start : start + 2000] >= 0
        assert (best[~is_twin].max(axis=1) < 0.97).all()
        assert (best[is_twin].max(axis=1) >= 0.97 - 2e-6).all()
        named = best[np.flatnonzero(is_twin), found[start : start + 2000][is_twin]]
        np.testing.assert_allclose(named, best[is_twin].max(axis=1), atol=1e-6)


@pytest.mark.parametrize("rank", [1, 5, 60])
def test_bounds_are_never_below_the_cosines_even_of_rows_without_full_rank(rank, monkeypatch):
    monkeypatch.setattr("selection.neighbours.bound._CHECK_COST", 0)
    rows = RNG.normal(size=(300, rank)) @ RNG.normal(size=(rank, 60))
    rows = unit(rows).astype(np.float32)
    basis = fit_basis(rows, 0.999)
    assert basis is not None
    short = shorten(rows, basis)
    assert short.shape[1] < rows.shape[1]
    assert (short @ short.T >= rows @ rows.T - BOUND_SLACK / 2).all()


def test_no_bound_is_used_where_it_would_rule_nothing_out():
    tight = unit(np.ones(96) + 0.01 * RNG.normal(size=(3000, 96))).astype(np.float32)
    assert fit_basis(tight, 0.97) is None


def test_a_row_equal_to_another_is_a_duplicate_at_threshold_one():
    row = RNG.normal(size=(1, 384)).astype(np.float16)
    np.testing.assert_array_equal(NearDuplicates(384, 1.0).judge(np.vstack([row, row])), [-1, 0])


def test_of_equally_near_kept_rows_the_first_is_named():
    kept = np.array([[1.0, 0.5, 0.0], [1.0, -0.5, 0.0], [1.0, 0.0, 0.0]])
    np.testing.assert_array_equal(NearDuplicates(3, 0.85).judge(kept), [-1, -1, 0])


@pytest.mark.parametrize("threshold", [0.0, 1.1, float("nan")])
def test_a_threshold_that_is_no_cosine_is_refused(threshold):
    with pytest.raises(ValueError, match="near-duplicate cosine"):
        NearDuplicates(4, threshold)
