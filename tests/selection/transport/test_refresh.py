"""A refresh must be as good as a solve of old and new rows, judged in float64 over all of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.transport import solve_potentials
from selection.transport.refresh import refresh_potentials

D = 16


def rows(rng: np.random.Generator, n: int, shift: float) -> np.ndarray:
    return rng.normal(size=(n, D)) + shift * np.eye(D)[0]


def exact_mass(x: np.ndarray, y: np.ndarray, g: np.ndarray, eps: float) -> np.ndarray:
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    y = y / np.linalg.norm(y, axis=1, keepdims=True)
    shares = np.exp((g - 2 + 2 * x @ y.T) / eps)
    return (shares / shares.sum(axis=1, keepdims=True)).mean(axis=0)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.sampled_from([0.0, 0.25, 0.5, 1.0]))
def test_the_residual_over_all_rows_is_within_tol(seed, shift):
    rng = np.random.default_rng(seed)
    old, new, target = rows(rng, 20_000, 0.0), rows(rng, 200, shift), rows(rng, 40, 1.0)
    before = solve_potentials(old, target, eps_rel=0.05, tol=1e-4)
    after = refresh_potentials(before, old, new, target, tol=1e-3)
    if after is None:
        # It may ask for a new solve, but only when the new rows are unlike the old ones.
        assert shift == 1.0
        return
    assert after.residual <= 1e-3
    everything = np.vstack([old, new])
    mass = exact_mass(everything, target, after.g, after.eps)
    assert np.abs(mass - after.b).sum() <= 1e-3
    # What it says of all rows, it says without having passed over them.
    assert np.abs(after.mass - mass).sum() <= 1e-3
    anew = solve_potentials(everything, target, eps=before.eps, tol=1e-5)
    assert after.n == anew.n == 20_200
    assert after.mean_f == pytest.approx(anew.mean_f, abs=2e-3 * anew.eps)
    assert after.flops < 0.5 * anew.flops


def test_refreshes_can_follow_each_other():
    rng = np.random.default_rng(3)
    target = rows(rng, 30, 1.0)
    everything = rows(rng, 20_000, 0.0)
    solved = solve_potentials(everything, target, eps_rel=0.05, tol=1e-4)
    for _ in range(3):
        new = rows(rng, 200, 0.5)
        solved = refresh_potentials(solved, everything, new, target)
        assert solved is not None
        everything = np.vstack([everything, new])
    mass = exact_mass(everything, target, solved.g, solved.eps)
    assert np.abs(mass - solved.b).sum() <= 1.5e-3


def test_rows_that_change_too_much_ask_for_a_new_solve():
    rng = np.random.default_rng(5)
    old, target = rows(rng, 3000, 0.0), rows(rng, 40, 1.0)
    before = solve_potentials(old, target, eps_rel=0.05, tol=1e-4)
    assert refresh_potentials(before, old, rows(rng, 9000, 8.0), target, tol=1e-4) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"old_rows": np.ones((2999, D))}, "2999 old rows and the solve had 3000"),
        ({"new_rows": np.ones((5, D + 1))}, "width"),
        ({"new_rows": np.ones((0, D))}, "new rows has no rows"),
        ({"target": np.ones((3, D))}, "target has 3 rows and the potentials have 40"),
        ({"precision": "tf32"}, "needs a CUDA device"),
    ],
)
def test_rows_of_another_solve_are_refused(change, message):
    rng = np.random.default_rng(7)
    old, target = rows(rng, 3000, 0.0), rows(rng, 40, 1.0)
    before = solve_potentials(old, target)
    given = {"old_rows": old, "new_rows": old[:5], "target": target, **change}
    with pytest.raises(ValueError, match=message):
        refresh_potentials(before, **given)
