from __future__ import annotations

from dataclasses import asdict
from types import SimpleNamespace

import faiss
import numpy as np
import pytest

from selection.neighbours import index as index_module
from selection.neighbours import targets
from selection.neighbours.index import MIN_RECALL, NeighbourIndex, build_index, gpus_for
from selection.neighbours.targets import nearest_targets

N, WIDTH = 3000, 16


def unit(rows):
    rows = np.asarray(rows, dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def rows_and_queries(seed=0, *, spread=0.5):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(30, WIDTH))
    around = [
        unit(centres[rng.integers(30, size=n)] + spread * rng.normal(size=(n, WIDTH)))
        for n in (N, 400)
    ]
    return around[0], around[1]


def approximate(rows, queries, k, **options):
    return build_index(rows, queries, k, exact_rows=100, exact_pairs=0, **options)


def brute_force(rows, queries, k):
    return -np.sort(-(queries @ rows.T), axis=1)[:, :k]


@pytest.mark.parametrize("options", [{"exact_rows": N}, {"exact_rows": 0, "exact_pairs": N * 400}])
def test_a_small_search_is_exact(options):
    rows, queries = rows_and_queries()
    index = build_index(rows, queries, 5, **options)
    assert index.facts.kind == "flat" and index.facts.recall == 1.0
    cosines, indices = index.search(queries, 5)
    np.testing.assert_allclose(cosines, brute_force(rows, queries, 5), atol=1e-6)
    np.testing.assert_allclose(np.einsum("qd,qkd->qk", queries, rows[indices]), cosines, atol=1e-6)


def test_a_large_search_has_the_recall_that_it_states():
    rows, queries = rows_and_queries()
    index = approximate(rows, queries, 10)
    facts = index.facts
    assert (facts.kind, facts.n_rows, facts.n_cells) == ("ivf", N, 219)
    assert facts.n_probe is not None and 1 < facts.n_probe < 219
    assert facts.recall >= MIN_RECALL and facts.recall_queries == 400
    cosines, _ = index.search(queries, 10)
    found = cosines >= brute_force(rows, queries, 10)[:, -1:] - 1e-6
    assert found.mean() == pytest.approx(facts.recall)


def test_it_probes_no_more_than_the_recall_needs():
    rows, queries = rows_and_queries()
    facts = approximate(rows, queries, 10).facts
    assert facts.n_probe is not None
    less, _ = index_module._searched(
        approximate(rows, queries, 10)._index, queries, 10, facts.n_probe // 2
    )
    assert (less >= brute_force(rows, queries, 10)[:, -1:] - 1e-6).mean() < MIN_RECALL
    easier = approximate(rows, rows[:400], 1).facts
    assert easier.n_probe is not None and easier.n_probe <= facts.n_probe


def test_the_same_input_gives_the_same_answers():
    rows, queries = rows_and_queries()
    first, second = (approximate(rows, queries, 10, seed=3) for _ in range(2))
    assert asdict(first.facts) == asdict(second.facts)
    for a, b in zip(first.search(queries, 10), second.search(queries, 10), strict=True):
        np.testing.assert_array_equal(a, b)


def test_copies_of_a_row_do_not_count_as_missed():
    rows, _ = rows_and_queries()
    rows[:2000] = rows[0]
    facts = approximate(rows, np.repeat(rows[:1], 50, axis=0), 5).facts
    assert facts.recall == 1.0 and facts.n_probe == 1


def test_it_is_exact_where_every_cluster_would_have_to_be_searched():
    rows, queries = rows_and_queries()
    index = approximate(rows, queries, N)
    assert index.facts.kind == "flat"
    _, indices = index.search(queries[:3], N)
    np.testing.assert_array_equal(np.sort(indices, axis=1), np.tile(np.arange(N), (3, 1)))


def test_a_query_whose_clusters_run_out_of_rows_is_answered_exactly():
    rows, queries = rows_and_queries()
    index = approximate(rows, queries, 1)
    raw = index_module._searched(index._index, queries, 200, 1)[1]
    assert (raw < 0).any(), "the case that this test is about"
    starved = NeighbourIndex(index._index, rows, index.facts)
    cosines, indices = starved.search(queries, 200)
    assert (indices >= 0).all()
    short = (index_module._searched(index._index, queries, 200, index.facts.n_probe)[1] < 0).any(1)
    assert short.any()
    np.testing.assert_allclose(cosines[short], brute_force(rows, queries, 200)[short], atol=1e-6)


def test_nearest_targets_work_over_an_approximate_index(monkeypatch):
    rows, queries = rows_and_queries()
    exact_indices, exact_cosines = nearest_targets(queries, rows, 3)
    monkeypatch.setattr(
        targets, "build_index", lambda *given: build_index(*given, exact_rows=0, exact_pairs=0)
    )
    indices, cosines = nearest_targets(queries, rows, 3)
    assert (indices == exact_indices).mean() >= 0.98
    same = (indices == exact_indices).all(axis=1)
    np.testing.assert_array_equal(cosines[same], exact_cosines[same])


@pytest.mark.parametrize("k", [0, N + 1])
def test_a_number_of_neighbours_that_cannot_be_is_refused(k):
    rows, queries = rows_and_queries()
    with pytest.raises(ValueError, match=f"k is {k}; with {N} rows to search"):
        build_index(rows, queries, k)


def test_the_gpu_is_used_only_by_a_build_that_has_one_to_use():
    def with_gpu(count):
        return SimpleNamespace(StandardGpuResources=object, get_num_gpus=lambda: count)

    assert gpus_for(SimpleNamespace()) == 0  # type: ignore[arg-type]
    assert gpus_for(SimpleNamespace(get_num_gpus=lambda: 2)) == 0  # type: ignore[arg-type]
    assert gpus_for(with_gpu(0)) == 0  # type: ignore[arg-type]
    assert gpus_for(with_gpu(2)) == 2  # type: ignore[arg-type]


def test_an_index_moves_to_a_visible_gpu(monkeypatch):
    moved = []
    monkeypatch.setattr(index_module, "gpus_for", lambda module: 1)
    monkeypatch.setattr(faiss, "StandardGpuResources", lambda: "resources", raising=False)

    def to_gpu(resources, device, index):
        moved.append((resources, device))
        return index

    monkeypatch.setattr(faiss, "index_cpu_to_gpu", to_gpu, raising=False)
    rows, queries = rows_and_queries()
    assert build_index(rows, queries, 3).facts.device == "gpu"
    assert approximate(rows, queries, 3).facts.device == "gpu"
    assert moved == [("resources", 0)] * 2


def test_flops_of_an_approximate_search_are_about_what_faiss_looked_at():
    rows, queries = rows_and_queries()
    index = approximate(rows, queries, 10)
    assert index.facts.n_cells is not None
    stats = faiss.cvar.indexIVF_stats
    stats.reset()
    index.search(queries, 10)
    looked_at = stats.ndis + len(queries) * index.facts.n_cells
    # Rows meet larger clusters more often than smaller ones.
    assert index.search_flops(400) == pytest.approx(2 * WIDTH * looked_at, rel=0.5)
    assert index.facts.flops > 2 * WIDTH * N * (index.facts.n_cells + 400)


def test_flops_of_an_exact_search_are_those_of_every_pair():
    rows, queries = rows_and_queries()
    index = build_index(rows, queries, 10)
    assert index.facts.flops == 0.0
    assert index.search_flops(7) == 2 * N * WIDTH * 7
