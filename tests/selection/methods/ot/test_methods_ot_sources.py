from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.methods import REGISTRY
from selection.methods.contract.cost import CostInputs
from selection.methods.contract.protocol import FitInputs, Fitted, ScoreInputs
from selection.methods.contract.values import Rows
from selection.methods.ot.options import OtOptions

OT = REGISTRY["ot"]
RNG = np.random.default_rng(11)
D = 16
TARGET_TOPIC = RNG.normal(size=D)


def make_rows(source: str, n: int, pull: float) -> Rows:
    vectors = RNG.normal(size=(n, D)) + pull * TARGET_TOPIC
    ids = np.array([f"{source}{i:04d}" for i in range(n)])
    return Rows(ids, [""] * n, np.full(n, 10), vectors.astype(np.float16), source)


TARGET = make_rows("", 25, 1.5)
POOL = {
    name: make_rows(name, n, pull)
    for name, n, pull in [("away", 80, -1.0), ("near", 70, 1.2), ("other", 90, 0.0)]
}
N_POOL = sum(len(rows.row_id) for rows in POOL.values())


def fit(batch: int = 1000, sources: dict[str, Rows] = POOL, **options: Any) -> Fitted:
    def pool() -> Iterator[Rows]:
        for rows in sources.values():
            for start in range(0, len(rows.row_id), batch):
                yield rows.take(slice(start, start + batch))

    n = sum(len(rows.row_id) for rows in sources.values())
    return OT.fit(FitInputs(TARGET, pool, n, OtOptions(**options), seed=0))


def score(fitted: Fitted, rows: Rows, **options: Any):
    return OT.score(
        fitted, ScoreInputs(rows, target=TARGET, options=OtOptions(**options), seeds=[0])
    )


def test_potentials_are_those_of_a_pool_of_the_nearest_source_alone():
    near = fit(nearest_sources=1)
    alone = fit(sources={"near": POOL["near"]})
    np.testing.assert_array_equal(near.arrays["g"], alone.arrays["g"])
    assert (
        near.facts["n_pool"] == 70 and near.facts["pool_residual"] == alone.facts["pool_residual"]
    )


def test_rows_of_far_sources_are_excluded_and_scored_by_the_same_formula():
    fitted = fit(nearest_sources=2)
    for rank, source in enumerate(["near", "other", "away"]):
        found = score(fitted, POOL[source])
        assert set(found.receipts["source_rank"].tolist()) == {rank}
        assert set(found.receipts["excluded"].tolist()) == {"far_source" if rank == 2 else ""}
        assert np.isfinite(found.score).all()
    as_near = Rows(**{**vars(POOL["away"]), "source": "near"})
    np.testing.assert_array_equal(score(fitted, POOL["away"]).score, score(fitted, as_near).score)


def test_facts_hold_the_distances_and_survive_json():
    facts: dict[str, Any] = fit(nearest_sources=1, source_rows=60).facts
    assert [name for name, _ in facts["source_distances"]] == ["near", "other", "away"]
    assert [d for _, d in facts["source_distances"]] == sorted(
        d for _, d in facts["source_distances"]
    )
    assert facts["source_rows_measured"] == [60, 60, 60]
    assert facts["kept_sources"] == ["near"]
    assert json.loads(json.dumps(facts)) == facts


def test_as_many_sources_as_there_are_leave_nobody_out():
    every, plain = fit(nearest_sources=3), fit()
    np.testing.assert_array_equal(every.arrays["g"], plain.arrays["g"])
    assert every.flops > plain.flops
    assert set(score(every, POOL["away"]).receipts["excluded"].tolist()) == {""}


def test_without_the_step_there_are_no_receipts_of_it():
    assert not {"excluded", "source_rank"} & set(score(fit(), POOL["near"]).receipts)


@settings(max_examples=15, deadline=None)
@given(batch=st.integers(1, 100), reverse=st.booleans(), source_rows=st.integers(20, 100))
def test_the_step_is_the_same_to_the_bit_in_any_batches(batch, reverse, source_rows):
    order = dict(reversed(POOL.items())) if reverse else POOL
    options = {"nearest_sources": 2, "source_rows": source_rows}
    one, other = fit(batch, order, **options), fit(**options)
    np.testing.assert_array_equal(one.arrays["g"], other.arrays["g"])
    assert one.facts["source_distances"] == other.facts["source_distances"]
    rows = POOL["away"]
    whole = score(one, rows)
    parts = [score(one, rows.take(slice(s, s + batch))) for s in range(0, len(rows.row_id), batch)]
    np.testing.assert_array_equal(np.concatenate([p.score[0] for p in parts]), whole.score[0])
    for column in ("excluded", "source_rank"):
        joined = np.concatenate([p.receipts[column] for p in parts])
        np.testing.assert_array_equal(joined, whole.receipts[column])


def test_more_sources_than_there_are_is_refused():
    with pytest.raises(ValueError, match=r"nearest_sources is 4 and the pool has 3 source"):
        fit(nearest_sources=4)


def test_a_source_without_a_name_is_refused():
    with pytest.raises(ValueError, match="name no source"):
        fit(sources={"": make_rows("", 10, 0.0)}, nearest_sources=1)


def test_rows_of_a_source_that_the_fit_has_not_seen_are_refused():
    fitted = fit(nearest_sources=1)
    with pytest.raises(ValueError, match="source 'new' is none of those"):
        score(fitted, make_rows("new", 3, 0.0))
    assert score(fitted, make_rows("", 0, 0.0)).score.shape == (1, 0)


def test_the_cost_counts_the_rows_measured_and_is_the_fits():
    def parts(n_sources: int | None, **options: Any):
        return OT.cost(
            CostInputs(1_000_000, 100, 0.0, 0.0, D, OtOptions(**options), n_sources=n_sources)
        )

    assert parts(4).parts["sources"] == 0.0
    few, unknown = (parts(n, nearest_sources=2, source_rows=1000) for n in (4, None))
    assert unknown.parts["sources"] == 250 * few.parts["sources"]
    assert few.phases["fit"] - parts(4).phases["fit"] == pytest.approx(few.parts["sources"])


def test_the_cost_foresees_the_flops_of_the_distances():
    fitted = fit(nearest_sources=1)
    planned = OT.cost(
        CostInputs(N_POOL, 25, 0.0, 0.0, D, OtOptions(nearest_sources=1), n_sources=3)
    ).parts["sources"]
    spent: Any = fitted.facts["sources_flops"]
    assert 0.3 * spent < planned < 3 * spent
