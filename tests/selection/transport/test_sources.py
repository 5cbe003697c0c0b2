from __future__ import annotations

import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.transport.sources import SourceDistances, source_distances

RNG = np.random.default_rng(5)
TARGET = RNG.normal(size=(30, 8)) + 1.5
SOURCES = {
    "far": RNG.normal(size=(50, 8)) - 1.0,
    "near": RNG.normal(size=(60, 8)) + 1.5,
    "between": RNG.normal(size=(40, 8)),
}


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def cost_to_target(rows):
    return ((unit(rows)[:, None] - unit(TARGET)[None]) ** 2).sum(axis=2)


def measure(sources=SOURCES, *, n_rows=1000, **options) -> SourceDistances:
    batches = [(name, np.arange(len(rows), dtype=float), rows) for name, rows in sources.items()]
    return source_distances(batches, TARGET, n_rows=n_rows, **options)


def test_distances_are_the_entropic_values_that_pot_finds():
    found = measure(tol=1e-8, precision="float64")
    for name, distance in zip(found.names, found.distances, strict=True):
        cost = cost_to_target(SOURCES[name])
        a, b = (np.full(n, 1 / n) for n in cost.shape)
        plan = ot.sinkhorn(a, b, cost, found.eps, method="sinkhorn_log", stopThr=1e-11)
        value = (plan * cost).sum() + found.eps * (plan * np.log(plan / np.outer(a, b))).sum()
        assert distance == pytest.approx(value, abs=1e-7)


def test_distances_tend_to_exact_transport_as_eps_does_to_zero():
    found = measure(eps_rel=1e-3, tol=1e-4, precision="float64")
    for name, distance in zip(found.names, found.distances, strict=True):
        exact = ot.emd2([], [], cost_to_target(SOURCES[name]))
        assert exact <= distance + 1e-4
        assert distance == pytest.approx(exact, abs=1e-2)


def test_sources_come_nearest_first_as_exact_transport_orders_them():
    exact = {name: ot.emd2([], [], cost_to_target(rows)) for name, rows in SOURCES.items()}
    assert list(measure().names) == sorted(exact, key=lambda name: exact[name])


def test_one_eps_is_the_share_of_the_mean_cost_over_sources_that_count_the_same():
    mean = np.mean([cost_to_target(rows).mean() for rows in SOURCES.values()])
    assert measure(eps_rel=0.1).eps == pytest.approx(0.1 * mean, rel=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 60), st.integers(1, 70))
def test_distances_are_the_same_whatever_the_batches_and_their_order(random, size, n_rows):
    keys = {name: np.random.default_rng(1).random(len(rows)) for name, rows in SOURCES.items()}
    batches = [
        (name, keys[name][start : start + size], rows[start : start + size])
        for name, rows in SOURCES.items()
        for start in range(0, len(rows), size)
    ]
    whole = [(name, keys[name], rows) for name, rows in SOURCES.items()]
    random.shuffle(batches)
    one, other = (source_distances(b, TARGET, n_rows=n_rows) for b in (batches, whole))
    assert one == other
    assert set(one.rows) <= {min(n_rows, len(rows)) for rows in SOURCES.values()}


def test_a_source_of_one_row_is_as_far_as_that_row():
    row = RNG.normal(size=(1, 8))
    found = measure({"single": row, **SOURCES}, tol=1e-7, precision="float64")
    at = found.names.index("single")
    assert found.rows[at] == 1
    assert found.distances[at] == pytest.approx(cost_to_target(row).mean(), abs=1e-6)


def test_flops_grow_with_the_rows_measured():
    assert measure(n_rows=10).flops < 0.5 * measure(n_rows=40).flops


def test_rows_without_a_source_are_refused():
    with pytest.raises(ValueError, match="50 rows of the pool name no source"):
        measure({"": SOURCES["far"]})


def test_an_empty_pool_is_refused():
    with pytest.raises(ValueError, match="no rows to measure"):
        measure({})


def test_sources_that_all_are_the_target_are_refused():
    row = np.ones((5, 8))
    with pytest.raises(ValueError, match="every row equals every target row"):
        source_distances([("same", np.arange(5.0), row)], row, n_rows=10)
