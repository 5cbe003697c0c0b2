"""One pass over a pool: several solves at once, in any precision."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch

from selection.transport import Potentials, score_rows, solve_potentials
from selection.transport.pool_pass import PoolPass
from selection.transport.precision import products_in
from selection.transport.scores import calibrated_scores, row_potentials
from selection.transport.solution import Side

RNG = np.random.default_rng(1)
POOL = RNG.normal(size=(4000, 24)).astype(np.float16)
NEAR = RNG.normal(size=(50, 24)) + 1.0
FAR = RNG.normal(size=(70, 24)) - 1.0
TO_NEAR: Potentials = solve_potentials(POOL, NEAR)
TO_FAR: Potentials = solve_potentials(POOL, FAR, eps_rel=0.2)
BLOCKS = np.array_split(POOL, 8)


def test_several_targets_in_one_pass_are_what_each_is_alone():
    one_pass = PoolPass([Side(NEAR, TO_NEAR), Side(FAR, TO_FAR)])
    both = np.concatenate(list(one_pass.over(BLOCKS)), axis=1)
    np.testing.assert_array_equal(both[0], row_potentials(POOL, NEAR, TO_NEAR))
    np.testing.assert_array_equal(both[1], row_potentials(POOL, FAR, TO_FAR))
    residuals = [fit.residual for fit in one_pass.fits()]
    assert residuals == pytest.approx([TO_NEAR.residual, TO_FAR.residual], abs=1e-5)


def test_solves_for_one_target_share_its_products_and_stay_right():
    """Also when their potentials are so far apart that they cannot share a kernel."""
    distant = solve_potentials(POOL, NEAR, eps=TO_NEAR.eps, allow_unconverged=True)
    skewed = distant.g + np.linspace(0, 200, len(NEAR)) * TO_NEAR.eps
    shifted = Potentials(**{**vars(distant), "g": skewed})
    sides = [Side(NEAR, solve) for solve in (TO_NEAR, distant, shifted)]
    one_pass = PoolPass(sides)
    three = np.concatenate(list(one_pass.over(BLOCKS)), axis=1)
    for potential_N, side in zip(three, sides, strict=True):
        exact = row_potentials(POOL, NEAR, side.potentials, precision="float64")
        np.testing.assert_allclose(potential_N, exact, atol=3e-6)


def test_a_contrast_pushes_rows_away_from_the_other_target():
    one_pass = PoolPass([Side(NEAR, TO_NEAR), Side(FAR, TO_FAR)])
    both = np.concatenate(list(one_pass.over(BLOCKS)), axis=1)
    to_near, to_far = map(calibrated_scores, both, (TO_NEAR, TO_FAR))
    plain = score_rows(POOL, NEAR, TO_NEAR)
    contrasted = to_near - 0.5 * to_far
    np.testing.assert_allclose(contrasted, plain - 0.5 * score_rows(POOL, FAR, TO_FAR), atol=1e-12)
    towards_far = POOL.astype(float) @ FAR.mean(axis=0)
    assert np.corrcoef(contrasted, towards_far)[0, 1] < np.corrcoef(plain, towards_far)[0, 1]


def test_weights_count_in_the_residual():
    """A pool in which the copies of some rows share their weight is the pool without copies."""
    copies = np.vstack([POOL, POOL[:1000], POOL[:1000]])
    weights = np.ones(len(copies))
    weights[:1000] = weights[4000:] = 1 / 3
    given = iter(np.array_split(weights, 8))
    weighed = PoolPass([Side(NEAR, TO_NEAR)])
    for _ in weighed.over(np.array_split(copies, 8), weigh=lambda rows: next(given)):
        pass
    plain = PoolPass([Side(NEAR, TO_NEAR)])
    for _ in plain.over(BLOCKS):
        pass
    assert weighed.fits()[0].residual == pytest.approx(plain.fits()[0].residual, abs=1e-6)


def test_memory_does_not_grow_with_the_pool(tmp_path):
    """numpy's share of it; `benchmarks/scale.py` measures all of the process."""
    rows = np.lib.format.open_memmap(
        tmp_path / "pool.npy", mode="w+", dtype=np.float16, shape=(60_000, 24)
    )
    rows[:] = np.resize(POOL, rows.shape)
    blocks = (rows[start : start + 1000] for start in range(0, len(rows), 1000))
    tracemalloc.start()
    for _ in PoolPass([Side(NEAR, TO_NEAR)]).over(blocks):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < rows.nbytes / 4


def potentials_of_rounded_products(solved: Potentials) -> np.ndarray:
    """By the textbook in float64, of operands that bfloat16 has rounded; for POOL and NEAR."""
    x_ND, y_MD = (torch.nn.functional.normalize(torch.tensor(r).float()) for r in (POOL, NEAR))
    scaled_MD = y_MD * (2.0 / solved.eps)
    products_NM = x_ND.bfloat16().double() @ scaled_MD.bfloat16().double().T
    bias_M = torch.tensor((solved.g - 2.0) / solved.eps + np.log(solved.b))
    return -solved.eps * torch.logsumexp(products_NM + bias_M, dim=1).numpy()


@pytest.mark.usefixtures("shown_bfloat16")
def test_bfloat16_products_change_potentials_little_and_say_how_much():
    exact = solve_potentials(POOL, NEAR, precision="float64", tol=1e-6)
    narrow = solve_potentials(POOL, NEAR, precision="bfloat16", tol=5e-3)
    assert narrow.precision == "bfloat16"
    assert 0 <= narrow.precision_error < 5e-3
    np.testing.assert_allclose(narrow.g, exact.g, atol=0.05 * exact.eps)
    rough = row_potentials(POOL, NEAR, exact, precision="bfloat16")
    fine = row_potentials(POOL, NEAR, exact, precision="float64")
    rounded = potentials_of_rounded_products(exact)
    assert 1e-4 < np.abs(rounded - fine).max() < 0.02
    # Where oneDNN has no kernel for it, nothing is rounded, and no error is claimed.
    rounds = np.abs(rough - fine).max() > 1e-5
    np.testing.assert_allclose(rough, rounded if rounds else fine, atol=3e-6)
    assert (narrow.precision_error > 1e-5) == rounds


def test_a_precision_holds_for_the_products_inside_and_is_given_back():
    matmul: Any = torch.backends.mkldnn.matmul  # pyright: ignore[reportAttributeAccessIssue]
    before = matmul.fp32_precision
    with products_in("bfloat16"):
        assert matmul.fp32_precision == "bf16"
    assert matmul.fp32_precision == before != "bf16"


@pytest.mark.usefixtures("bfloat16")
def test_auto_precision_reaches_a_tolerance_that_bfloat16_cannot():
    solved = solve_potentials(POOL, NEAR, precision="auto", tol=6e-4)
    assert solved.converged and solved.residual <= 6e-4
    exact = row_potentials(POOL, NEAR, solved, precision="float64")
    assert np.isfinite(exact).all()
    assert solve_potentials(POOL, NEAR, precision="auto", tol=1e-5).precision == "float32"
