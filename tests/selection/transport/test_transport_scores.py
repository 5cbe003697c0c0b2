from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.transport import Potentials, score_rows, solve_potentials
from selection.transport.pool_pass import PoolFit, PoolPass
from selection.transport.scores import calibrated_scores, row_potentials
from selection.transport.solution import Side

RNG = np.random.default_rng(0)
POOL = RNG.normal(size=(500, 12))
TARGET = RNG.normal(size=(40, 12)) + 1.0
SOLVED: Potentials = solve_potentials(POOL, TARGET, precision="float64")


def pool_fit(blocks, solved: Potentials) -> PoolFit:
    one_pass = PoolPass([Side(TARGET, solved)])
    for _ in one_pass.over(blocks):
        pass
    return one_pass.fits()[0]


def test_scores_of_rows_in_the_solve_equal_the_solves_own_potentials():
    n = len(POOL)
    own = -n / (n - 1) * (SOLVED.f - SOLVED.f.mean())
    exact = score_rows(POOL, TARGET, SOLVED, precision="float64")
    np.testing.assert_allclose(exact, own, atol=1e-12)
    np.testing.assert_allclose(score_rows(POOL, TARGET, SOLVED), own, atol=2e-6)


def test_scores_of_the_solves_rows_sum_to_zero():
    exact = score_rows(POOL, TARGET, SOLVED, precision="float64")
    assert exact.sum() == pytest.approx(0.0, abs=1e-10)


def test_ranking_is_unchanged_by_calibration():
    scores = score_rows(POOL, TARGET, SOLVED)
    np.testing.assert_array_equal(np.argsort(-scores), np.argsort(SOLVED.f))


def test_an_unseen_row_equal_to_a_seen_one_gets_its_score():
    seen = score_rows(POOL, TARGET, SOLVED)
    unseen = np.vstack([RNG.normal(size=(3, 12)), 7.0 * POOL[123]])
    assert score_rows(unseen, TARGET, SOLVED)[-1] == pytest.approx(seen[123], abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 500), max_size=5), st.randoms(use_true_random=False))
def test_scores_are_the_same_to_the_bit_whatever_the_blocks_and_their_order(cuts, random):
    whole = score_rows(POOL, TARGET, SOLVED)
    order = list(range(500))
    random.shuffle(order)
    blocks = np.split(POOL[order], sorted(cuts))
    passed = list(PoolPass([Side(TARGET, SOLVED)]).over(blocks))
    streamed = calibrated_scores(np.concatenate(passed, axis=1)[0], SOLVED)
    np.testing.assert_array_equal(streamed, whole[order])


def test_a_pool_is_read_block_by_block():
    pulled = []

    def blocks():
        for start in range(0, 500, 100):
            pulled.append(start)
            yield POOL[start : start + 100]

    passed = PoolPass([Side(TARGET, SOLVED)]).over(blocks())
    assert next(passed).shape == (1, 100)
    assert pulled == [0]


def test_no_rows_give_no_scores():
    assert score_rows(np.empty((0, 12)), TARGET, SOLVED).shape == (0,)


def test_out_of_sample_potentials_are_the_closed_form():
    rows = RNG.normal(size=(5, 12))
    x = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    y = TARGET / np.linalg.norm(TARGET, axis=1, keepdims=True)
    cost = ((x[:, None] - y[None]) ** 2).sum(axis=2)
    direct = -SOLVED.eps * np.log((np.exp((SOLVED.g - cost) / SOLVED.eps) / len(y)).sum(axis=1))
    exact = row_potentials(rows, TARGET, SOLVED, precision="float64")
    np.testing.assert_allclose(exact, direct, atol=1e-10)
    np.testing.assert_allclose(row_potentials(rows, TARGET, SOLVED), direct, atol=2e-6)


def test_the_pool_residual_of_the_solves_own_rows_is_the_solves_residual():
    fit = pool_fit(np.array_split(POOL, 7), SOLVED)
    assert fit.n == 500
    assert fit.residual == pytest.approx(SOLVED.residual, abs=1e-5)


def test_the_pool_residual_sees_a_sample_that_misses_part_of_the_pool():
    near = RNG.normal(size=(500, 12)) + 2.0
    whole = np.vstack([POOL, near])
    sampled = whole[RNG.permutation(1000)[:600]]
    fair = pool_fit([whole], solve_potentials(sampled, TARGET))
    blind = pool_fit([whole], SOLVED)
    assert fair.residual < 0.25 * blind.residual


def test_an_empty_pool_cannot_be_measured():
    with pytest.raises(ValueError, match="no rows to measure"):
        pool_fit([], SOLVED)


def test_potentials_of_another_target_are_refused():
    with pytest.raises(ValueError, match="target has 39 rows and the potentials have 40"):
        score_rows(POOL, TARGET[:39], SOLVED)


def test_a_bad_row_is_refused_by_number():
    rows = POOL.copy()
    rows[77] = np.nan
    with pytest.raises(ValueError, match="rows row 77 holds NaN"):
        score_rows(rows, TARGET, SOLVED)


def test_importing_the_package_loads_no_heavy_library():
    code = (
        "import sys, selection.transport, selection.methods, selection.subset.choose;"
        "print([m for m in ('torch', 'faiss', 'ot', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
