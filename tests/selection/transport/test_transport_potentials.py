from __future__ import annotations

from typing import Any

import numpy as np
import ot
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.transport import score_rows, solve_potentials
from selection.transport.potentials import NotConverged

EXACT: dict[str, Any] = {"precision": "float64", "tol": 1e-11, "max_iterations": 200_000}


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def problem(seed: int, n: int = 60, m: int = 25, d: int = 8):
    """Two clouds on the sphere that overlap in part, with uneven weights."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    y = rng.normal(size=(m, d)) + 0.8
    return unit(x), unit(y), rng.dirichlet(np.full(n, 3.0)), rng.dirichlet(np.full(m, 3.0))


def centred(values: np.ndarray) -> np.ndarray:
    return values - values.mean()


def pot_potentials(x, y, a, b, eps):
    """POT's log-domain solver; its f absorbs eps log a, ours is relative to a x b."""
    cost = ot.dist(x, y)
    _, log = ot.sinkhorn(
        a, b, cost, eps, method="sinkhorn_log", numItermax=200_000, stopThr=1e-13, log=True
    )
    return eps * (log["log_u"] - np.log(a)), eps * (log["log_v"] - np.log(b))


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), eps_rel=st.sampled_from([0.03, 0.05, 0.2, 1.0]))
def test_potentials_agree_with_pot_up_to_the_additive_constant(seed, eps_rel):
    x, y, a, b = problem(seed)
    ours = solve_potentials(x, y, a=a, b=b, eps_rel=eps_rel, **EXACT)
    assert ours.eps == pytest.approx(eps_rel * (a @ ot.dist(x, y) @ b))
    f, g = pot_potentials(x, y, a, b, ours.eps)
    for mine, theirs in ((ours.f, f), (ours.g, g)):
        error = np.abs(centred(mine) - centred(theirs)).max() / np.abs(centred(theirs)).max()
        assert error <= 1e-4


def test_potentials_tend_to_the_exact_duals_as_eps_vanishes():
    # Random weights make the transport plan's basis, and so the exact duals, unique.
    x, y, a, b = problem(3, n=12, m=9)
    _, exact = ot.emd(a, b, ot.dist(x, y), log=True)
    errors = []
    for eps_rel in (0.05, 0.01, 0.002):
        ours = solve_potentials(
            x, y, a=a, b=b, eps_rel=eps_rel, precision="float64", tol=1e-7, max_iterations=100_000
        )
        errors.append(np.abs(centred(ours.f) - centred(exact["u"])).max())
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.02 * np.abs(centred(exact["u"])).max()


def test_calibrated_gradient_is_the_finite_difference_of_the_ot_value():
    x, y, a, b = problem(5, n=15, m=10)
    eps, step, n = 0.1, 1e-5, 15

    def value(weights: np.ndarray) -> float:
        cost = ot.dist(x, y)
        plan = ot.sinkhorn(
            weights, b, cost, eps, method="sinkhorn_log", numItermax=100_000, stopThr=1e-14
        )
        return float((plan * (cost + eps * np.log(plan / np.outer(weights, b)))).sum())

    potentials = solve_potentials(x, y, a=a, b=b, eps=eps, **EXACT)
    gradient = -score_rows(x, y, potentials)
    for i in range(0, n, 3):
        towards_i = np.full(n, -1.0 / (n - 1))
        towards_i[i] = 1.0
        difference = (value(a + step * towards_i) - value(a - step * towards_i)) / (2 * step)
        assert gradient[i] == pytest.approx(difference, rel=1e-4, abs=1e-6)


def test_residual_is_the_l1_error_of_the_targets_marginal_and_rows_are_exact():
    x, y, a, b = problem(7)
    rough = solve_potentials(x, y, a=a, b=b, tol=0.05, precision="float64")
    cost = ot.dist(x, y)
    plan = np.outer(a, b) * np.exp((rough.f[:, None] + rough.g - cost) / rough.eps)
    assert np.abs(plan.sum(axis=1) - a).sum() < 1e-10
    assert np.abs(plan.sum(axis=0) - b).sum() == pytest.approx(rough.residual, rel=1e-6)
    assert 0 < rough.residual <= 0.05
    assert len(rough.history) == rough.iterations
    assert rough.history[-1] == rough.residual
    assert rough.b @ rough.g == pytest.approx(0.0, abs=1e-12)


def test_weights_are_scaled_and_repeating_a_row_equals_doubling_its_weight():
    x, y, _, _ = problem(11, n=20)
    weights = np.ones(20)
    weights[4] = 2.0
    weighted = solve_potentials(x, y, a=weights, eps=0.1, **EXACT)
    repeated = solve_potentials(np.vstack([x, x[4]]), y, eps=0.1, **EXACT)
    np.testing.assert_allclose(weighted.g, repeated.g, atol=1e-8)
    np.testing.assert_allclose(weighted.f, repeated.f[:20], atol=1e-8)


def test_lengths_of_rows_do_not_matter():
    x, y, a, b = problem(13)
    stretched = x * np.linspace(0.001, 1000, len(x))[:, None]
    one = solve_potentials(x, y, a=a, b=b, **EXACT)
    other = solve_potentials(stretched, 5 * y, a=a, b=b, **EXACT)
    np.testing.assert_allclose(one.f, other.f, atol=1e-10)


def test_streaming_the_cost_gives_the_same_potentials_as_caching_it():
    x, y, a, b = problem(17, n=300, m=40)
    cached = solve_potentials(x, y, a=a, b=b, **EXACT)
    streamed = solve_potentials(x, y, a=a, b=b, memory_limit=10_000, **EXACT)
    np.testing.assert_allclose(cached.f, streamed.f, atol=1e-9)


def test_float32_default_reaches_the_tolerance_and_the_float64_ranking():
    x, y, a, b = problem(19, n=400, m=60)
    single = solve_potentials(x, y, a=a, b=b)
    double = solve_potentials(x, y, a=a, b=b, precision="float64")
    assert single.converged and single.residual <= 1e-3
    assert single.f.dtype == np.float64
    np.testing.assert_allclose(single.f, double.f, atol=1e-5)
    exact = solve_potentials(x, y, a=a, b=b, **EXACT)
    tops = [set(np.argsort(p.f)[:40].tolist()) for p in (single, exact)]
    assert len(tops[0] & tops[1]) >= 39


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_torch_tensors_of_any_float_dtype_are_taken(dtype):
    x, y, _, _ = problem(23)
    x_torch, y_torch = torch.from_numpy(x).to(dtype), torch.from_numpy(y).to(dtype)
    from_torch = solve_potentials(x_torch, y_torch, precision="float64")
    from_numpy = solve_potentials(
        x_torch.double().numpy(), y_torch.double().numpy(), precision="float64"
    )
    np.testing.assert_array_equal(from_torch.f, from_numpy.f)


def test_a_warm_start_takes_fewer_iterations_and_lands_on_the_same_scores():
    x, y, _, _ = problem(29, n=400, m=60)
    options: dict[str, Any] = {"tol": 1e-6, "precision": "float64"}
    before = solve_potentials(x[:380], y, **options)
    cold = solve_potentials(x, y, **options)
    warm = solve_potentials(x, y, warm_start=before, **options)
    assert warm.iterations < cold.iterations
    np.testing.assert_allclose(score_rows(x, y, warm), score_rows(x, y, cold), atol=1e-5)
    np.testing.assert_array_equal(solve_potentials(x, y, warm_start=before.g, **options).f, warm.f)


def test_acceleration_saves_passes_and_changes_nothing_else():
    x, y, _, _ = problem(30, n=400, m=60)
    options: dict[str, Any] = {"tol": 1e-9, "precision": "float64", "eps_rel": 0.03}
    plain = solve_potentials(x, y, accelerate=False, **options)
    accelerated = solve_potentials(x, y, **options)
    assert accelerated.iterations < 0.7 * plain.iterations
    np.testing.assert_allclose(accelerated.f, plain.f, atol=1e-7)


def test_running_out_of_iterations_is_an_error_unless_allowed():
    x, y, _, _ = problem(31)
    with pytest.raises(NotConverged, match=r"residual .* > tol .*raise eps_rel"):
        solve_potentials(x, y, max_iterations=3)
    partial = solve_potentials(x, y, max_iterations=3, allow_unconverged=True)
    assert not partial.converged and partial.iterations == 3


def test_tiny_eps_neither_overflows_nor_underflows():
    x, y, a, b = problem(37)
    ours = solve_potentials(x, y, a=a, b=b, eps=1e-4, max_iterations=300, allow_unconverged=True)
    assert np.isfinite(ours.f).all() and np.isfinite(ours.g).all() and np.isfinite(ours.residual)


def test_a_target_of_one_row_ranks_by_distance_to_it():
    x, y, _, _ = problem(41)
    potentials = solve_potentials(x, y[:1], **EXACT)
    np.testing.assert_allclose(
        centred(potentials.f), centred(np.asarray(ot.dist(x, y[:1]))[:, 0]), atol=1e-9
    )


def test_report_sees_every_iteration():
    x, y, _, _ = problem(43)
    seen: list[tuple[int, float]] = []
    potentials = solve_potentials(x, y, report=lambda i, residual: seen.append((i, residual)))
    assert seen == list(enumerate(potentials.history, start=1))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", ["candidates", "target"])
def test_a_row_that_is_not_finite_is_refused_by_number(bad, side):
    x, y, _, _ = problem(47)
    sides: dict[str, Any] = {"candidates": x.copy(), "target": y.copy()}
    sides[side][9, 2] = bad
    with pytest.raises(ValueError, match=f"{side} row 9 holds NaN or infinity"):
        solve_potentials(**sides)


def test_a_row_of_zero_length_is_refused_by_number():
    x, y, _, _ = problem(47)
    x[[11, 30]] = 0
    with pytest.raises(ValueError, match="candidates row 11 has zero length"):
        solve_potentials(x, y)


def test_a_row_too_small_to_square_still_has_a_direction():
    x, y, _, _ = problem(53)
    tiny = x.copy()
    tiny[0] *= 1e-200
    np.testing.assert_allclose(
        solve_potentials(tiny, y, **EXACT).f, solve_potentials(x, y, **EXACT).f, atol=1e-9
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": np.ones((3, 5))}, "width 5 and must have width 8"),
        ({"candidates": np.ones((1, 8))}, "at least 2"),
        ({"candidates": np.ones((0, 8))}, "no rows"),
        ({"candidates": np.ones(8)}, "shape"),
        ({"candidates": np.ones((4, 8), dtype=int)}, "floats"),
        ({"a": np.ones(3)}, r"a must have shape \(60,\)"),
        ({"b": np.r_[np.ones(24), 0.0]}, r"b\[24\] is 0.0"),
        ({"eps": 0.0}, "eps is 0.0"),
        ({"eps_rel": float("nan")}, "eps_rel is nan"),
        ({"tol": -1.0}, "tol is -1.0"),
        ({"memory_limit": 0}, "memory_limit is 0"),
        ({"max_iterations": 0}, "max_iterations is 0"),
        ({"precision": "float16"}, "precision is float16"),
        ({"precision": "tf32"}, "tf32 needs a CUDA device"),
        ({"path": "lazy"}, "path is lazy"),
        ({"path": "cached", "memory_limit": 1000}, "takes 6,000 bytes"),
        ({"warm_start": np.zeros(3)}, "warm_start"),
    ],
)
def test_unusable_arguments_are_refused_with_their_name(change, message):
    x, y, _, _ = problem(59)
    arguments: dict[str, Any] = {"candidates": x, "target": y} | change
    with pytest.raises(ValueError, match=message):
        solve_potentials(**arguments)


def test_identical_rows_on_both_sides_cannot_set_a_relative_eps():
    with pytest.raises(ValueError, match="mean cost is zero"):
        solve_potentials(np.ones((4, 3)), np.ones((2, 3)))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("memory_limit", [None, 100_000])
def test_the_gpu_gives_the_cpus_potentials_and_scores(memory_limit):
    x, y, _, _ = problem(61, n=2000, m=150)
    cpu = solve_potentials(x, y)
    gpu = solve_potentials(x, y, device="cuda", memory_limit=memory_limit)
    np.testing.assert_allclose(gpu.f, cpu.f, atol=1e-5)
    on_gpu = torch.from_numpy(x).to("cuda")
    np.testing.assert_allclose(score_rows(on_gpu, y, cpu), score_rows(x, y, cpu), atol=1e-10)
